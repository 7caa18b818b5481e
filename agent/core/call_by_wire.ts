/**
 * Calls an operation that is known by its frame type alone, as local clients name it.
 */
import { LocalError } from "./local_error.ts";
import type { MeshPeerApi } from "./mesh_peer_api.ts";

/** Operations that the agent does by itself: a client that did them would break its promises. */
const RESERVED: ReadonlySet<string> = new Set([
  "send",
  "client_ack",
  "client_seen",
  "rotate_mesh_key",
  "hand_over_key",
]);

/**
 * Checks `input` against the operation's schema and calls it.
 * @throws {LocalError} `invalid_argument` for an unknown operation or a wrong field; {MeshError} as the broker answers.
 */
export async function callByWire(
  peer: MeshPeerApi,
  wire: string,
  input: Readonly<Record<string, unknown>>,
  options: { readonly sessionId?: string; readonly timeoutMs?: number } = {},
): Promise<Record<string, unknown>> {
  // Loaded where it is used first: an agent that only carries messages needs few of the operations.
  const { opByWire } = await import("../../broker/api/catalog.ts");
  const op = opByWire.get(wire);
  if (op === undefined || RESERVED.has(wire)) {
    throw new LocalError("invalid_argument", `"${wire}" is no operation for clients`, {
      hint: "The agent may be older than this program: run `claudemesh agent stop`, then try again",
    });
  }
  const parsed = op.input.safeParse(input);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const field = issue?.path.join(".") || "input";
    throw new LocalError("invalid_argument", `${field}: ${issue?.message ?? "wrong"}`);
  }
  return await peer.call(op, input, options);
}
