/**
 * `GET /ws`: turns a request into a peer's socket. Browsers' pages of other sites are kept out, and so are addresses with
 * too many connections that never say hello.
 */
import { MeshError } from "../api/errors.ts";
import { PeerSocket, type PeerSocketParts } from "../core/peer_socket.ts";
import { storeError } from "../core/store_error.ts";
import { failure } from "./answer.ts";
import { clientAddress, requireOwnHost, requireSameOrigin } from "./client_address.ts";

/** Answers a request for `/ws`. */
export function upgradeSocket(
  parts: PeerSocketParts,
  request: Request,
  remote: Deno.Addr,
): Response {
  const { broker, table } = parts;
  const { host, trustedProxies, limits } = broker.settings;
  const place = { host, trustedProxies, publicUrl: broker.publicUrl() };
  try {
    if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
      throw new MeshError("invalid_argument", "/ws speaks WebSocket only");
    }
    requireOwnHost(request.headers, place);
    requireSameOrigin(request.headers, place);
    if (broker.stopping()) {
      throw new MeshError("shutting_down", "the broker is stopping; connect again shortly");
    }
    const { ip } = clientAddress(remote, request.headers, place);
    table.requireAddress(ip);
    const idleTimeout = limits.deadAfterMs / 1000;
    const { socket, response } = Deno.upgradeWebSocket(request, { idleTimeout });
    new PeerSocket(parts, socket, ip);
    return response;
  } catch (cause) {
    const error = cause instanceof TypeError
      ? new MeshError("invalid_argument", "this is no valid WebSocket handshake", { cause })
      : storeError(cause);
    broker.metrics.connectionsRejected.inc({ reason: error.code });
    return failure(error);
  }
}
