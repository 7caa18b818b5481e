/**
 * The answer to a good hello: who the connection is, what the mesh is, and what was kept of the session.
 */
import type * as z from "zod";
import type { helloAck } from "../api/hello.ts";
import { PROTOCOL_REVISION } from "../api/revisions.ts";
import type { BrokerContext } from "./context.ts";
import type { Session } from "./model.ts";
import type { Attachment } from "./sessions.ts";

/** What this broker understands beyond the first revision. */
const CAPABILITIES = ["acks", "batch", "answer_batch", "body2", "receipts", "epochs"];

/** Makes the `hello_ack` frame of a session, which answers `request`. */
export function helloAckFrame(
  broker: BrokerContext,
  session: Session,
  restored: Attachment["restored"],
  request: Readonly<Record<string, unknown>>,
): string {
  const { member } = session;
  const { mesh } = member;
  const { sendsPerMinute, sendBurst, messageBytes } = broker.settings.limits;
  const ack: z.input<typeof helloAck> = {
    type: "hello_ack",
    ...(typeof request._reqId === "string" ? { _reqId: request._reqId } : {}),
    presenceId: session.presenceId,
    protocolVersion: PROTOCOL_REVISION,
    capabilities: CAPABILITIES,
    memberId: member.id,
    memberDisplayName: session.displayName,
    memberRole: member.role,
    memberProfile: {
      roleTag: member.roleTag,
      groups: member.defaultGroups,
      messageMode: member.messageMode,
    },
    mesh: {
      id: mesh.id,
      slug: mesh.slug,
      name: mesh.name,
      ownerPubkey: mesh.ownerPubkey,
      custody: mesh.custody,
      epoch: mesh.epoch,
      rekeyNeeded: mesh.rekeyReason !== null,
      publicUrl: broker.publicUrl(),
    },
    limits: { sendsPerMinute, sendBurst, messageBytes },
    ...restoredFields(restored),
    services: [],
  };
  return JSON.stringify(ack);
}

function restoredFields(restored: Attachment["restored"]) {
  if (restored === null) return {};
  const { summary, lastSeenAtMs, groups } = restored;
  return {
    restored: true,
    lastSeenAt: new Date(lastSeenAtMs).toISOString(),
    ...(summary === null ? {} : { lastSummary: summary }),
    ...(groups === null ? {} : { restoredGroups: groups }),
  };
}
