/**
 * Who is in the mesh, as the broker last said, kept on disk so that names resolve while it cannot be reached. Keys are
 * pinned: a broker that later shows another key for the same member or name is not believed.
 */
import type { Member } from "../../broker/api/members.ts";
import type { Peer } from "../../broker/api/presence.ts";
import { groupName } from "../../broker/api/fields.ts";
import { isPublicKey } from "../../crypto/sign.ts";
import { LocalError } from "./local_error.ts";
import type { ResolvedTarget } from "./mesh_peer_api.ts";

/** What the directory keeps of a member. */
export type KnownMember = Pick<
  Member,
  | "memberId"
  | "pubkey"
  | "displayName"
  | "role"
  | "bodyVersion"
  | "hasMeshKey"
  | "proven"
  | "groups"
>;
/** What the directory keeps of a session. */
export type KnownSession = Pick<Peer, "pubkey" | "memberPubkey" | "displayName" | "sessionId">;

interface Stored {
  readonly version: 1;
  readonly members: readonly KnownMember[];
  readonly sessions: readonly KnownSession[];
  /** Member id -> key, of everybody that was ever a member. */
  readonly memberPins: Readonly<Record<string, string>>;
  /** Name in lower case -> key, of everybody that was ever sent to by this name. */
  readonly namePins: Readonly<Record<string, string>>;
}

/** A name and what it stands for. */
interface Entry {
  readonly name: string;
  readonly member: KnownMember;
  readonly sessionKey: string | null;
}

const EMPTY: Stored = { version: 1, members: [], sessions: [], memberPins: {}, namePins: {} };
const MIN_PREFIX = 8;
const HEX = /^[0-9a-f]+$/i;
const SHORT_KEY = 12;
const MAX_CANDIDATES = 10;

export class Directory {
  readonly #ownKey: string;
  readonly #path: string;
  #stored: Stored;
  #refusedKeys: string[] = [];

  /** Reads the cache in `folder`; an unreadable one is begun anew, it holds nothing that the broker cannot tell again. */
  constructor(folder: string, ownKey: string) {
    this.#ownKey = ownKey;
    this.#path = `${folder}/directory.json`;
    this.#stored = readStored(this.#path);
  }

  get members(): readonly KnownMember[] {
    return this.#stored.members;
  }

  /** Members whose key the broker has changed, each a sentence. */
  get problems(): readonly string[] {
    return this.#refusedKeys;
  }

  /** True before the broker has ever told who is there. */
  get isEmpty(): boolean {
    return this.#stored.members.length === 0;
  }

  /** The member with this key, undefined when the broker names none. */
  member(pubkey: string): KnownMember | undefined {
    return this.#stored.members.find((member) => member.pubkey === pubkey);
  }

  /** Takes over what the broker says now; members that come with another key than before are left out. */
  update(members: readonly Member[], peers: readonly Peer[]): void {
    const pins = { ...this.#stored.memberPins };
    const refused: string[] = [];
    const believed = members.filter((member) => {
      const pinned = pins[member.memberId];
      if (pinned === undefined || pinned === member.pubkey) return true;
      refused.push(
        `the broker shows another key for ${member.displayName} than before; it is not believed ` +
          `(${short(member.pubkey)} instead of ${short(pinned)})`,
      );
      return false;
    });
    for (const member of believed) pins[member.memberId] = member.pubkey;
    const before = new Map(this.members.map((member) => [member.pubkey, member]));
    const keys = new Set(believed.map((member) => member.pubkey));
    this.#refusedKeys = refused;
    this.#store({
      ...this.#stored,
      members: believed.map((member) => knownMember(member, before.get(member.pubkey))),
      sessions: peers.filter((peer) => keys.has(peer.memberPubkey)).map(knownSession),
      memberPins: pins,
    });
  }

  /**
   * Takes over what an event of the broker says of one member, so that its name resolves even if the broker goes away
   * before it is asked for the whole list; other events are left alone.
   */
  apply(event: string, data: Readonly<Record<string, unknown>>): void {
    const { memberId, name, pubkey } = data;
    if (typeof memberId !== "string" || typeof name !== "string" || !isPublicKey(pubkey)) return;
    const pinned = this.#stored.memberPins[memberId];
    if (pinned !== undefined && pinned !== pubkey) return;
    const others = this.members.filter((member) => member.memberId !== memberId);
    const before = this.members.find((member) => member.memberId === memberId);
    if (event === "member_removed") {
      this.#store({ ...this.#stored, members: others });
    } else if (event === "member_renamed" && before !== undefined) {
      this.#store({ ...this.#stored, members: [...others, { ...before, displayName: name }] });
    } else if (event === "member_added") {
      const added: KnownMember = {
        memberId,
        pubkey,
        displayName: name,
        role: data.role === "admin" ? "admin" : "member",
        bodyVersion: data.proven === true ? 2 : before?.bodyVersion ?? 1,
        hasMeshKey: false,
        proven: data.proven === true,
        groups: [],
      };
      const memberPins = { ...this.#stored.memberPins, [memberId]: pubkey };
      this.#store({ ...this.#stored, members: [...others, added], memberPins });
    }
  }

  /**
   * What `to` stands for: `*`, `@group`, a full key, an exact name (case does not matter), the first 8 or more digits of
   * a key, or a part of a name that only one has. Throws LocalError `not_found`, `ambiguous_target` with candidates,
   * `key_changed`, `invalid_argument`.
   */
  resolve(to: string): ResolvedTarget {
    const text = to.trim();
    if (text === "*" || text.toLowerCase() === "@all") {
      return { target: text === "*" ? "*" : "@all", kind: "everyone", memberKey: null, name: text };
    }
    if (text.startsWith("@")) return groupTarget(text);
    const entries = this.#entries();
    const exactKey = entries.filter((entry) => keyOf(entry) === text.toLowerCase());
    if (exactKey.length > 0) return this.#byKey(exactKey, text);
    const named = entries.filter((entry) => entry.name.toLowerCase() === text.toLowerCase());
    if (named.length > 0) return this.#byName(named, text);
    if (HEX.test(text) && text.length >= MIN_PREFIX) {
      const prefixed = entries.filter((entry) => keyOf(entry).startsWith(text.toLowerCase()));
      if (prefixed.length > 0) return this.#byKey(prefixed, text);
    }
    const partly = entries.filter((entry) =>
      text !== "" && entry.member.pubkey !== this.#ownKey &&
      entry.name.toLowerCase().includes(text.toLowerCase())
    );
    if (partly.length > 0) return this.#byName(partly, text);
    throw this.#unknown(text);
  }

  #byKey(entries: readonly Entry[], text: string): ResolvedTarget {
    const resolved = one(entries, text);
    // Whoever names a key has chosen it: the name stands for this key from now on.
    if (resolved.kind === "member") this.#pinName(resolved.name, resolved.memberKey!);
    return resolved;
  }

  #byName(entries: readonly Entry[], text: string): ResolvedTarget {
    const resolved = one(entries, text);
    const pinned = this.#stored.namePins[resolved.name.toLowerCase()];
    if (pinned !== undefined && pinned !== resolved.memberKey) {
      const now = short(resolved.memberKey!);
      throw new LocalError(
        "key_changed",
        `${resolved.name} had the key ${short(pinned)} before, now the broker shows ${now}`,
        {
          hint: `compare safety numbers (claudemesh verify ${now}); to go on, send to ${now} once`,
        },
      );
    }
    // Sessions come and go under any name; what a member was called is worth a memory.
    if (resolved.kind === "member") this.#pinName(resolved.name, resolved.memberKey!);
    return resolved;
  }

  #pinName(name: string, key: string): void {
    const namePins = this.#stored.namePins;
    if (namePins[name.toLowerCase()] === key) return;
    this.#store({ ...this.#stored, namePins: { ...namePins, [name.toLowerCase()]: key } });
  }

  /** Members by their names, and sessions by theirs where these differ. */
  #entries(): Entry[] {
    const { members, sessions } = this.#stored;
    const entries: Entry[] = members.map((member) => ({
      name: member.displayName,
      member,
      sessionKey: null,
    }));
    const byKey = new Map(members.map((member) => [member.pubkey, member]));
    for (const session of sessions) {
      const member = byKey.get(session.memberPubkey);
      if (member === undefined || session.pubkey === session.memberPubkey) continue;
      entries.push({ name: session.displayName, member, sessionKey: session.pubkey });
    }
    return entries;
  }

  #unknown(text: string): LocalError {
    if (this.isEmpty) {
      return new LocalError("not_found", `nobody is known as "${text}" yet`, {
        hint: "the members of this mesh have never been fetched; try again when it is connected",
      });
    }
    const names = this.#stored.members.filter((member) => member.pubkey !== this.#ownKey)
      .map((member) => label(member.displayName, member.pubkey)).slice(0, MAX_CANDIDATES);
    return new LocalError("not_found", `nobody in this mesh is called "${text}"`, {
      hint: "use a name, a key or its first 8 digits, @group or *; claudemesh peers lists them",
      candidates: names,
    });
  }

  #store(stored: Stored): void {
    this.#stored = stored;
    const temporary = `${this.#path}.new`;
    try {
      Deno.writeTextFileSync(temporary, JSON.stringify(stored), { mode: 0o600 });
      Deno.renameSync(temporary, this.#path);
    } catch {
      // A full disk costs the cache only; the stores that matter tell about it themselves.
    }
  }
}

function one(entries: readonly Entry[], text: string): ResolvedTarget {
  const members = new Map(entries.map((entry) => [entry.member.pubkey, entry]));
  if (members.size > 1) {
    const candidates = [...members.values()].map((entry) => label(entry.name, entry.member.pubkey));
    throw new LocalError("ambiguous_target", `"${text}" could be any of ${members.size} members`, {
      hint: "write more of the name, or the first digits of the key",
      candidates: candidates.slice(0, MAX_CANDIDATES),
    });
  }
  const first = entries[0]!;
  // Several sessions of one member, or the member itself: the member gets it.
  const isSession = entries.length === 1 && first.sessionKey !== null;
  return {
    target: isSession ? first.sessionKey! : first.member.pubkey,
    kind: isSession ? "session" : "member",
    memberKey: first.member.pubkey,
    name: first.name,
  };
}

function groupTarget(text: string): ResolvedTarget {
  if (groupName.safeParse(text.slice(1)).success) {
    return { target: text, kind: "group", memberKey: null, name: text };
  }
  throw new LocalError("invalid_argument", `"${text}" is no group name`, {
    hint: "a group is @ and letters, digits, - or _, with slashes between levels",
  });
}

function keyOf(entry: Entry): string {
  return entry.sessionKey ?? entry.member.pubkey;
}

function label(name: string, key: string): string {
  return `${name} (${short(key)})`;
}

function short(key: string): string {
  return key.slice(0, SHORT_KEY);
}

/** Whoever joined by a link's secret, or read body version 2 once, reads it: nobody talks this agent out of that. */
function knownMember(member: Member, before: KnownMember | undefined): KnownMember {
  const { memberId, pubkey, displayName, role, hasMeshKey, proven, groups } = member;
  const bodyVersion = Math.max(member.bodyVersion, before?.bodyVersion ?? 1, proven ? 2 : 1);
  return { memberId, pubkey, displayName, role, bodyVersion, hasMeshKey, proven, groups };
}

function knownSession({ pubkey, memberPubkey, displayName, sessionId }: Peer): KnownSession {
  return { pubkey, memberPubkey, displayName, sessionId };
}

function readStored(path: string): Stored {
  try {
    const value = JSON.parse(Deno.readTextFileSync(path)) as Stored;
    return value.version === 1 && Array.isArray(value.members) ? value : EMPTY;
  } catch {
    // Missing, or cut off by a crash: the broker tells all of it again.
    return EMPTY;
  }
}
