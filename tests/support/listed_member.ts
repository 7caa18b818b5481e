/** Members as a broker lists them, for tests without one. */
import type { Member } from "../../broker/api/members.ts";

/** Returns a member who is offline and in no group. */
export function listedMember(
  displayName: string,
  pubkey: string,
  memberId: string = displayName,
): Member {
  return {
    memberId,
    pubkey,
    displayName,
    role: "member",
    joinedAt: "2026-11-21T10:00:00.000Z",
    lastSeenAt: null,
    online: false,
    sessions: 0,
    groups: [],
    bodyVersion: 2,
    hasMeshKey: true,
    proven: true,
  };
}
