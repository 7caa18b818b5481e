/**
 * Meshes, members, sessions and connections for tests, without a handshake.
 */
import type { Connection, Member, Mesh, PeerRole, Session } from "../../broker/core/model.ts";

/** Returns a mesh without members. */
export function fakeMesh(id = "mesh1", auditHead = "genesis"): Mesh {
  return {
    id,
    slug: id,
    name: id,
    ownerPubkey: "0".repeat(64),
    custody: "members",
    createdAtMs: 0,
    epoch: 1,
    epochAtMs: 0,
    rekeyReason: null,
    membersById: new Map(),
    membersByPubkey: new Map(),
    membersByNumber: new Map(),
    connections: new Set(),
    auditHead,
  };
}

/** Adds a member; its key is made from its number. */
export function fakeMember(mesh: Mesh, number: number, name = `member ${number}`): Member {
  const member: Member = {
    id: `${mesh.id}-m${number}`,
    number,
    mesh,
    pubkey: number.toString(16).padStart(64, "a"),
    displayName: name,
    role: "member",
    roleTag: null,
    defaultGroups: [],
    messageMode: "push",
    bodyVersion: 2,
    proven: true,
    grants: new Map(),
    joinedAtMs: 0,
    lastSeenAtMs: null,
    hasMeshKey: true,
    kickedAtMs: null,
    leftAtMs: null,
    revokedAtMs: null,
    sessions: new Map(),
  };
  mesh.membersById.set(member.id, member);
  mesh.membersByPubkey.set(member.pubkey, member);
  mesh.membersByNumber.set(number, member);
  return member;
}

/** Adds a session that is not connected. */
export function fakeSession(
  member: Member,
  id: string,
  peerRole: PeerRole = "session",
  pubkey: string | null = null,
): Session {
  const session: Session = {
    id,
    member,
    presenceId: `${member.id}-${id}`,
    pubkey,
    peerRole,
    displayName: `${member.displayName} ${id}`,
    status: "idle",
    statusSource: "hook",
    statusAtMs: 0,
    summary: null,
    groups: [],
    visible: true,
    profile: {},
    stats: {},
    earlierStats: {},
    pid: 1,
    cwd: "/",
    hostname: null,
    peerType: null,
    channel: null,
    model: null,
    connectedAtMs: 0,
    lastSeenAtMs: 0,
    presence: "leased",
    connection: null,
  };
  member.sessions.set(id, session);
  return session;
}

/** A connection that keeps the frames it was sent. */
export class FakeConnection implements Connection {
  readonly id: string;
  readonly mesh: Mesh;
  readonly member: Member;
  readonly session: Session;
  readonly acks: boolean;
  readonly batch: boolean;
  open = true;
  /** What a test says that waits for the peer. */
  unsentBytes = 0;
  readonly frames: string[] = [];
  onFrame: (frame: string) => void = () => {};

  /** Connects `session`. */
  constructor(session: Session, options: { acks?: boolean; batch?: boolean } = {}) {
    this.id = `${session.presenceId}-connection`;
    this.mesh = session.member.mesh;
    this.member = session.member;
    this.session = session;
    this.acks = options.acks ?? true;
    this.batch = options.batch ?? false;
    session.connection = this;
    session.presence = "live";
    this.mesh.connections.add(this);
  }

  send(frame: string): void {
    this.frames.push(frame);
    this.onFrame(frame);
  }

  answer(frame: string): void {
    this.send(frame);
  }

  close(): void {
    this.open = false;
    this.mesh.connections.delete(this);
    if (this.session.connection === this) {
      this.session.connection = null;
      this.session.presence = "leased";
    }
  }
}
