/**
 * The sessions of this machine as a mesh sees them: one connection each, under a key of its own that the member key
 * vouches for (reference protocol 1.5). They carry status, summary and groups, and stand in for the control connection
 * where messages come while that is down.
 */
import type { Group } from "../../broker/api/fields.ts";
import { PROTOCOL_REVISION } from "../../broker/api/revisions.ts";
import { makeAttestation, signSessionHello } from "../../crypto/hello_proof.ts";
import { generateKeyPair, type KeyPair } from "../../crypto/sign.ts";
import type { AgentClock } from "./agent_clock.ts";
import type { AgentHome, JoinedMesh } from "./agent_home.ts";
import type { Frame } from "./frame.ts";
import { Link } from "./link.ts";
import type { SessionInfo } from "./mesh_peer_api.ts";
import type { ReaderSession } from "./readers.ts";

export interface SessionLinksOptions {
  readonly mesh: JoinedMesh;
  readonly member: KeyPair;
  readonly home: AgentHome;
  readonly clock: AgentClock;
  readonly url: string;
  onFrame(frame: Frame, link: Link, sessionId: string): void;
  /** Called when a session's connection has come up or gone down. */
  onStatus(sessionId: string, isUp: boolean): void;
}

interface AttachedSession {
  readonly info: SessionInfo;
  readonly keys: KeyPair;
  readonly link: Link;
  groups: readonly Group[];
}

/** What every connection of this program understands. */
export const LINK_CAPABILITIES = ["acks", "batch", "answer_batch", "body2"];
/** Half of what a broker allows, so that clocks may differ; each connection gets a new one. */
const ATTESTATION_MS = 12 * 60 * 60 * 1000;

export class SessionLinks {
  readonly #options: SessionLinksOptions;
  readonly #sessions = new Map<string, AttachedSession>();
  readonly #closing = new Set<Promise<void>>();

  constructor(options: SessionLinksOptions) {
    this.#options = options;
  }

  /** The attached sessions, for deciding whose a message is. */
  get readers(): ReaderSession[] {
    return [...this.#sessions.values()].map(({ info, keys, groups }) => ({
      sessionId: info.sessionId,
      pubkey: keys.publicKey,
      displayName: info.displayName ?? null,
      groups,
    }));
  }

  /** Secret keys of the attached sessions. */
  get secretKeys(): string[] {
    return [...this.#sessions.values()].map(({ keys }) => keys.secretKey);
  }

  /** The connection of a session, undefined when it is not attached. */
  link(sessionId: string): Link | undefined {
    return this.#sessions.get(sessionId)?.link;
  }

  /** Any connection that is up. */
  anyUp(): Link | undefined {
    return [...this.#sessions.values()].find(({ link }) => link.isUp)?.link;
  }

  /**
   * Attaches a session and begins to connect it; one that is attached already is left as it is, there are never two
   * connections of one session. Throws a home's error when its key cannot be used.
   */
  attach(info: SessionInfo): void {
    if (this.#sessions.has(info.sessionId)) return;
    const { mesh, home, clock, url, onFrame, onStatus } = this.#options;
    const keys = home.sessionKey(mesh.meshId, info.sessionId, generateKeyPair);
    const link: Link = new Link({
      url,
      clock,
      hello: () => this.#hello(info, keys),
      onFrame: (frame) => onFrame(frame, link, info.sessionId),
      onStatus: (status) => {
        const session = this.#sessions.get(info.sessionId);
        if (status.kind === "up" && session !== undefined && status.ack.restoredGroups) {
          session.groups = status.ack.restoredGroups;
        }
        onStatus(info.sessionId, status.kind === "up");
      },
    });
    this.#sessions.set(info.sessionId, { info, keys, link, groups: info.groups ?? [] });
    link.start();
  }

  /** Takes over what the broker answered to a change of a session's groups. */
  setGroups(sessionId: string, groups: readonly Group[]): void {
    const session = this.#sessions.get(sessionId);
    if (session !== undefined) session.groups = groups;
  }

  /** Ends a session's connection; peers see it for the length of the broker's lease. */
  detach(sessionId: string): void {
    const session = this.#sessions.get(sessionId);
    if (session === undefined) return;
    this.#sessions.delete(sessionId);
    const closing = session.link.stop().finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
  }

  /** Connects again without waiting. */
  retry(): void {
    for (const { link } of this.#sessions.values()) link.retry();
  }

  /** Ends all; resolves when every connection is closed. */
  async stop(): Promise<void> {
    for (const sessionId of [...this.#sessions.keys()]) this.detach(sessionId);
    await Promise.all(this.#closing);
  }

  #hello(info: SessionInfo, keys: KeyPair): Record<string, unknown> {
    const { mesh, member, clock } = this.#options;
    const { meshId } = mesh;
    const timestamp = clock.now();
    const { sessionId, pid, cwd, displayName, channel, model, peerType } = info;
    const groups = this.#sessions.get(sessionId)?.groups ?? info.groups ?? [];
    return {
      type: "session_hello",
      protocolVersion: PROTOCOL_REVISION,
      capabilities: LINK_CAPABILITIES,
      meshId,
      parentMemberId: mesh.memberId,
      parentMemberPubkey: member.publicKey,
      sessionPubkey: keys.publicKey,
      parentAttestation: makeAttestation(
        { meshId, sessionPubkey: keys.publicKey, expiresAt: timestamp + ATTESTATION_MS },
        member.secretKey,
      ),
      sessionId,
      pid,
      cwd,
      hostname: Deno.hostname(),
      ...(displayName === undefined ? {} : { displayName }),
      ...(channel === undefined ? {} : { channel }),
      ...(model === undefined ? {} : { model }),
      ...(peerType === undefined ? {} : { peerType }),
      ...(groups.length === 0 ? {} : { groups }),
      timestamp,
      signature: signSessionHello(
        { meshId, parentMemberPubkey: member.publicKey, timestamp },
        keys.secretKey,
      ),
    };
  }
}
