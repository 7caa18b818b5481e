/**
 * Counts what members do, over all their sessions and restarts of the broker. Counters are written once a minute and at
 * the end: a crash loses the last minute of them.
 */
import {
  type MemberStats,
  selectMemberStats,
  storeMemberStats,
} from "../../storage/sql/queries/member_stats.ts";
import type { Sql } from "../../storage/sql/port.ts";
import type { Clock } from "./clock.ts";
import type { Ledger } from "./ledger.ts";
import type { Member, Mesh } from "./model.ts";

export type { MemberStats };

export interface ActivityParts {
  readonly sql: Sql;
  readonly ledger: Ledger;
  readonly clock: Clock;
}

export class Activity {
  readonly #parts: ActivityParts;
  readonly #counters = new WeakMap<Member, MemberStats>();
  readonly #changed = new Map<Mesh, Set<Member>>();
  #countedAtMs: number;

  constructor(parts: ActivityParts) {
    this.#parts = parts;
    this.#countedAtMs = parts.clock.now();
  }

  /** Reads what a mesh's members have done before. */
  async load(mesh: Mesh): Promise<void> {
    for (const { memberId, ...stats } of await selectMemberStats(this.#parts.sql, mesh.id)) {
      const member = mesh.membersById.get(memberId);
      if (member !== undefined) this.#counters.set(member, stats);
    }
  }

  /** What a member has done so far. */
  of(member: Member): Readonly<MemberStats> {
    return this.#counters.get(member) ?? nothing();
  }

  /** Adds to one counter of a member. */
  count(member: Member, counter: keyof MemberStats, by = 1): void {
    let stats = this.#counters.get(member);
    if (stats === undefined) this.#counters.set(member, stats = nothing());
    stats[counter] += by;
    this.#changedSet(member.mesh).add(member);
  }

  /** Adds the time since the last call to every member of `meshes` that is connected, and writes what has changed. */
  async flush(meshes: Iterable<Mesh>): Promise<void> {
    const nowMs = this.#parts.clock.now();
    // A clock that was set back gives nobody time.
    const elapsedMs = Math.max(0, nowMs - this.#countedAtMs);
    this.#countedAtMs = nowMs;
    for (const mesh of meshes) {
      const present = new Set([...mesh.connections].map(({ member }) => member));
      for (const member of present) this.count(member, "uptimeMs", elapsedMs);
    }
    for (const [mesh, members] of [...this.#changed]) {
      this.#changed.delete(mesh);
      try {
        await this.#write(mesh, members);
      } catch (error) {
        // They are written with the next flush.
        for (const member of members) this.#changedSet(mesh).add(member);
        throw error;
      }
    }
  }

  async #write(mesh: Mesh, members: ReadonlySet<Member>): Promise<void> {
    const rows = [...members].map((member) => ({ memberId: member.id, ...this.of(member) }));
    const statements = [storeMemberStats(mesh.id, rows)];
    await this.#parts.ledger.append({ mesh, statements, audits: [] });
  }

  #changedSet(mesh: Mesh): Set<Member> {
    let changed = this.#changed.get(mesh);
    if (changed === undefined) this.#changed.set(mesh, changed = new Set());
    return changed;
  }
}

function nothing(): MemberStats {
  return { messagesIn: 0, messagesOut: 0, toolCalls: 0, errors: 0, uptimeMs: 0 };
}
