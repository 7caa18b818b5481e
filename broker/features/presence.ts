/**
 * Who is here, and what a session shows of itself.
 */
import { renameMember } from "../../storage/sql/queries/members.ts";
import { memberEvents } from "../api/members.ts";
import type { Handlers } from "../api/op.ts";
import type { Peer, presence as contract } from "../api/presence.ts";
import type { Call } from "../core/context.ts";
import { isListed } from "../core/listing.ts";
import type { Member, Session } from "../core/model.ts";
import { addedStats } from "../core/session_rows.ts";

export const presence: Handlers<typeof contract, Call> = {
  listPeers({ connection }) {
    const sessions: Session[] = [];
    for (const member of connection.mesh.membersById.values()) {
      for (const session of member.sessions.values()) {
        if (isListed(session) && isShownTo(session, connection.member)) sessions.push(session);
      }
    }
    sessions.sort((left, right) => left.connectedAtMs - right.connectedAtMs);
    return Promise.resolve({ peers: sessions.map(peerOf) });
  },

  setStatus({ broker, connection }, { status, source }) {
    return Promise.resolve({ status: broker.status.set(connection.session, status, source) });
  },

  setSummary({ broker, connection }, { summary }) {
    connection.session.summary = summary === "" ? null : summary;
    broker.sessions.changed(connection.session);
    return Promise.resolve({ summary });
  },

  setVisible(call, { visible }) {
    const { broker, connection: { session } } = call;
    if (session.visible !== visible) {
      session.visible = visible;
      broker.sessions.visibilityChanged(session);
    }
    return Promise.resolve(acked(call));
  },

  setProfile(call, { avatar, title, bio, capabilities }) {
    const { broker, connection: { session } } = call;
    const given = { avatar, title, bio, capabilities };
    const kept = Object.entries(given).filter(([, value]) => value !== undefined);
    // Calling it with nothing clears the card.
    session.profile = kept.length === 0 ? {} : { ...session.profile, ...Object.fromEntries(kept) };
    broker.sessions.changed(session);
    return Promise.resolve(acked(call));
  },

  setStats({ broker, connection }, { stats }) {
    connection.session.stats = stats;
    broker.sessions.changed(connection.session);
    return Promise.resolve({ stats });
  },

  async setDisplayName({ broker, connection: { member, mesh } }, { displayName }) {
    await broker.ledger.append({
      mesh,
      statements: [renameMember(mesh.id, member.id, displayName)],
      audits: [{ event: "member_renamed", actor: member, payload: { memberId: member.id } }],
    });
    for (const session of member.sessions.values()) {
      // Sessions with a name of their own keep it.
      if (session.displayName === member.displayName) session.displayName = displayName;
      broker.sessions.changed(session);
    }
    member.displayName = displayName;
    const data = { memberId: member.id, name: displayName, pubkey: member.pubkey };
    broker.events.toMesh(mesh, memberEvents.memberRenamed, data);
    return { displayName };
  },
};

/** Hidden sessions are shown to their own member only. */
function isShownTo(session: Session, viewer: Member): boolean {
  return session.visible || session.member === viewer;
}

function peerOf(session: Session): Peer {
  const { member } = session;
  const stats = addedStats(session.earlierStats, session.stats);
  return {
    pubkey: session.pubkey ?? member.pubkey,
    memberPubkey: member.pubkey,
    memberId: member.id,
    memberRole: member.role,
    displayName: session.displayName,
    status: session.status,
    summary: session.summary,
    groups: session.groups,
    sessionId: session.id,
    connectedAt: new Date(session.connectedAtMs).toISOString(),
    online: session.presence === "live",
    ...(session.cwd === "" ? {} : { cwd: session.cwd }),
    ...optional("hostname", session.hostname),
    peerRole: session.peerRole,
    ...optional("peerType", session.peerType),
    ...optional("channel", session.channel),
    ...optional("model", session.model),
    ...(Object.keys(stats).length === 0 ? {} : { stats }),
    visible: session.visible,
    ...(Object.keys(session.profile).length === 0 ? {} : { profile: session.profile }),
  };
}

function optional<Key extends string>(key: Key, value: string | null): { [K in Key]?: string } {
  return value === null ? {} : { [key]: value } as { [K in Key]: string };
}

function acked({ requestId }: Call) {
  return { id: requestId ?? "", messageId: "", queued: false };
}
