/**
 * The protocol's revisions: one line for each change of the wire. Peers compare the number, never a version string.
 */

export const REVISIONS = [
  {
    revision: 1,
    date: "2026-06-14",
    summary: "What clients of the original broker speak: hello, send, push, presence, groups.",
  },
  {
    revision: 2,
    date: "2026-11-21",
    summary:
      "Proven session keys, deliveries with acks and receipts, body version 2, epochs, push batches, grants, members.",
  },
  {
    revision: 3,
    date: "2026-11-21",
    summary:
      "What a mesh shares: state, memory, files, vectors, graph, SQL, streams, contexts, tasks, schedules, clock, skills, audit; answer batches.",
  },
] as const;

/** The revision that this program speaks. */
export const PROTOCOL_REVISION = REVISIONS[REVISIONS.length - 1]!.revision;
