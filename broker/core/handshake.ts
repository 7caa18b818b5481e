/**
 * Who a new connection is: checks `hello` and `session_hello` in the order of the reference protocol 1.3 and 1.5. Nothing
 * is changed here but the memory of used signatures.
 */
import * as z from "zod";
import { checkAttestation, checkHello, checkSessionHello } from "../../crypto/hello_proof.ts";
import { type ErrorCode, MeshError } from "../api/errors.ts";
import { type Hello, hello, type SessionHello, sessionHello } from "../api/hello.ts";
import type { Limits } from "../api/limits.ts";
import type { Clock } from "./clock.ts";
import type { Meshes } from "./meshes.ts";
import type { Member } from "./model.ts";
import type { RateLimits } from "./rate_limits.ts";
import { ReplayCache } from "./replay_cache.ts";
import type { Arrival, Sessions } from "./sessions.ts";
import { isStorable } from "./storable.ts";
import { storeError } from "./store_error.ts";

const PUBLIC_KEY = /^[0-9a-f]{64}$/;
const MAX_PID = 2_147_483_647;

/** A connection that is who it says. */
export interface Admission {
  readonly arrival: Arrival;
  readonly acks: boolean;
  readonly batch: boolean;
  /** Understands answer_batch. */
  readonly answerBatch: boolean;
  /** The newest body version its agent reads. */
  readonly bodyVersion: number;
}

export interface HandshakeParts {
  readonly clock: Clock;
  readonly limits: Limits;
  readonly compat: boolean;
  readonly meshes: Meshes;
  readonly sessions: Sessions;
  readonly rates: RateLimits;
  /** Refuses with `capacity` when there is no room for one more connection of the mesh. */
  readonly requireRoom: (meshId: string) => void;
}

const parseHello = z.compile(hello);
const parseSessionHello = z.compile(sessionHello);

/** What a refused hello may have failed for without being its sender's fault. */
const BLAMELESS: ReadonlySet<ErrorCode> = new Set([
  "capacity",
  "unavailable",
  "storage_full",
  "shutting_down",
  "rate_limited",
  "internal",
]);

const REASONS = {
  timestamp_skew: "this machine's clock differs from the broker's by more than a minute; set it",
  malformed: "a key or signature is malformed",
  bad_signature: "a signature does not verify",
  attestation_mismatch: "the attestation names other keys than the hello",
  expired: "the attestation has expired; make a new one",
  ttl_too_long: "the attestation lives more than 24 h; make a shorter one",
} as const;

export class Handshake {
  readonly #parts: HandshakeParts;
  readonly #used: ReplayCache;

  constructor(parts: HandshakeParts) {
    this.#parts = parts;
    this.#used = new ReplayCache(parts.clock, parts.limits.helloWindowMs);
  }

  /**
   * Checks a hello of either kind from `address`.
   * @throws {MeshError} with the code to refuse it with.
   */
  async admit(frame: Readonly<Record<string, unknown>>, address: string): Promise<Admission> {
    const key = `hello ${address}`;
    const perMinute = this.#parts.limits.failedHellosPerMinute;
    const rate = { perMinute, burst: perMinute };
    const waitMs = this.#parts.rates.wait(key, rate);
    if (waitMs > 0) {
      throw new MeshError("rate_limited", `too many refused hellos; wait ${waitMs} ms`, {
        data: { limit: perMinute, retry_after_ms: waitMs },
      });
    }
    try {
      if (!isStorable(frame)) throw malformed("text", "it has NUL or broken characters");
      return frame.type === "hello"
        ? await this.#hello(parsed(parseHello, frame))
        : await this.#sessionHello(parsed(parseSessionHello, frame));
    } catch (cause) {
      const error = storeError(cause);
      if (!BLAMELESS.has(error.code)) this.#parts.rates.take(key, rate);
      throw error;
    }
  }

  /**
   * Checks again what may have changed since `admit`; call it in the same turn in which the connection is let in.
   * @throws {MeshError} as `admit`.
   */
  confirm({ arrival: { member, sessionId, pubkey } }: Admission): void {
    this.#parts.requireRoom(member.mesh.id);
    requireActive(member);
    if (this.#parts.sessions.isTaken(member, sessionId, pubkey)) {
      throw new MeshError("session_taken", "the session id or key belongs to another member");
    }
  }

  async #hello(frame: Hello): Promise<Admission> {
    const sessionPubkey = frame.sessionPubkey || null;
    if (sessionPubkey !== null && !PUBLIC_KEY.test(sessionPubkey)) {
      throw new MeshError(
        "bad_session_pubkey",
        "sessionPubkey is not 64 lower-case hex characters",
      );
    }
    const unproven = frame.parentAttestation === undefined || frame.sessionSignature === undefined;
    if (sessionPubkey !== null && unproven && !this.#parts.compat) {
      throw new MeshError(
        "session_unproven",
        "sessionPubkey needs parentAttestation and sessionSignature; the broker's operator may " +
          "set CLAUDEMESH_COMPAT=1 for clients that cannot",
      );
    }
    this.#parts.requireRoom(frame.meshId);
    const nowMs = this.#parts.clock.now();
    refuse(checkHello(frame, nowMs));
    if (sessionPubkey !== null && !unproven) {
      this.#requireProof({
        meshId: frame.meshId,
        parentMemberPubkey: frame.pubkey,
        sessionPubkey,
        timestamp: frame.timestamp,
        signature: frame.sessionSignature ?? "",
      }, frame.parentAttestation);
    }
    this.#requireUnused(frame.pubkey, frame.timestamp, frame.signature);
    const member = await this.#member(frame.meshId, frame.pubkey);
    const capabilities = frame.capabilities ?? [];
    // A plain client's hello stands for its whole session; an agent's control connection has no key and acks.
    const control = sessionPubkey === null && capabilities.includes("acks");
    return this.#admission(frame, member, sessionPubkey, control ? "control-plane" : "session");
  }

  async #sessionHello(frame: SessionHello): Promise<Admission> {
    const { sessionPubkey, parentMemberPubkey, parentAttestation } = frame;
    if (!PUBLIC_KEY.test(sessionPubkey)) {
      throw new MeshError(
        "bad_session_pubkey",
        "sessionPubkey is not 64 lower-case hex characters",
      );
    }
    if (!PUBLIC_KEY.test(parentMemberPubkey)) {
      throw new MeshError(
        "bad_parent_pubkey",
        "parentMemberPubkey is not 64 lower-case hex characters",
      );
    }
    if (
      parentAttestation.sessionPubkey !== sessionPubkey ||
      parentAttestation.parentMemberPubkey !== parentMemberPubkey
    ) refuse("attestation_mismatch");
    this.#parts.requireRoom(frame.meshId);
    this.#requireProof(frame, parentAttestation);
    this.#requireUnused(sessionPubkey, frame.timestamp, frame.signature);
    const member = await this.#member(frame.meshId, parentMemberPubkey);
    if (frame.parentMemberId !== "" && frame.parentMemberId !== member.id) {
      throw new MeshError(
        "parent_member_id_mismatch",
        "parentMemberId is not the member of this key; join the mesh again or leave it empty",
      );
    }
    return this.#admission(frame, member, sessionPubkey, "session");
  }

  /** The member's word for the session key, then the session's own. */
  #requireProof(
    frame: Pick<
      SessionHello,
      "meshId" | "parentMemberPubkey" | "sessionPubkey" | "timestamp" | "signature"
    >,
    attestation: SessionHello["parentAttestation"] | undefined,
  ): void {
    if (attestation === undefined) return refuse("malformed");
    const nowMs = this.#parts.clock.now();
    const requireMeshSignature = !this.#parts.compat;
    refuse(checkAttestation(attestation, frame, nowMs, { requireMeshSignature }));
    refuse(checkSessionHello(frame, nowMs));
  }

  #requireUnused(pubkey: string, timestamp: number, signature: string): void {
    if (this.#used.accept(pubkey, timestamp, signature)) return;
    throw new MeshError("replayed", "this signed hello was used before; sign a new one");
  }

  async #member(meshId: string, pubkey: string): Promise<Member> {
    const mesh = await this.#parts.meshes.find(meshId);
    return requireActive(mesh?.membersByPubkey.get(pubkey));
  }

  #admission(
    frame: Hello | SessionHello,
    member: Member,
    pubkey: string | null,
    peerRole: Arrival["peerRole"],
  ): Admission {
    const capabilities = frame.capabilities ?? [];
    return {
      arrival: {
        member,
        sessionId: frame.sessionId,
        pubkey,
        peerRole,
        displayName: frame.displayName ?? null,
        groups: frame.groups ?? [],
        pid: Math.min(frame.pid, MAX_PID),
        cwd: frame.cwd,
        hostname: frame.hostname ?? null,
        peerType: frame.peerType ?? null,
        channel: frame.channel ?? null,
        model: frame.model ?? null,
      },
      acks: capabilities.includes("acks"),
      batch: capabilities.includes("batch"),
      answerBatch: capabilities.includes("answer_batch"),
      bodyVersion: capabilities.includes("body2") ? 2 : 1,
    };
  }
}

/** Whether the mesh exists is nobody's business but its members': without a member both look alike. */
function requireActive(member: Member | undefined): Member {
  if (member === undefined || (member.leftAtMs !== null && member.revokedAtMs === null)) {
    throw new MeshError(
      "unauthorized",
      "this key is no member of the mesh; join it with an invite",
    );
  }
  if (member.revokedAtMs !== null) {
    throw new MeshError("revoked", "this member was banned from the mesh; ask an owner or admin");
  }
  return member;
}

function parsed<Schema extends z.ZodType>(schema: Schema, frame: unknown): z.output<Schema> {
  const result = schema.safeParse(frame);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw malformed(issue?.path.join(".") ?? "", issue?.message ?? "wrong");
}

function malformed(field: string, what: string): MeshError {
  return new MeshError("malformed", `the hello's ${field || "shape"}: ${what}`, {
    data: { field },
  });
}

function refuse(code: keyof typeof REASONS | null): void {
  if (code !== null) throw new MeshError(code, REASONS[code]);
}
