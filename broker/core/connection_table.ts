/**
 * Every open socket of the broker: counts against the limits, and the cut of those that stopped reading. A socket counts
 * until it is really closed, so that nobody gains room by not answering a close.
 */
import { MeshError } from "../api/errors.ts";
import type { Limits } from "../api/limits.ts";
import type { Clock } from "./clock.ts";
import type { Metrics } from "./metrics.ts";

/** What the table needs of a socket. */
export interface TrackedSocket {
  /** The mesh it counts for; null before its hello. */
  readonly meshId: string | null;
  readonly address: string;
  /** Bytes that its peer's machine has taken over so far, and those that wait. */
  progress(): { takenBytes: number; waitingBytes: number };
  close(code: number, reason: string): void;
}

interface Watch {
  takenBytes: number;
  sinceMs: number;
}

export class ConnectionTable {
  readonly #limits: Limits;
  readonly #clock: Clock;
  readonly #metrics: Metrics;
  readonly #sockets = new Map<TrackedSocket, Watch>();
  readonly #perMesh = new Map<string, number>();
  readonly #unauthenticated = new Map<string, number>();
  readonly #emptyWaiters: (() => void)[] = [];
  #authenticated = 0;

  constructor(limits: Limits, clock: Clock, metrics: Metrics) {
    this.#limits = limits;
    this.#clock = clock;
    this.#metrics = metrics;
  }

  /** @throws {MeshError} `rate_limited` when an address has too many sockets that have not said hello. */
  requireAddress(address: string): void {
    const limit = this.#limits.unauthenticatedPerAddress;
    if ((this.#unauthenticated.get(address) ?? 0) < limit) return;
    throw new MeshError(
      "rate_limited",
      `${limit} connections of this address have not said hello yet`,
      { data: { limit, retry_after_ms: 1_000 } },
    );
  }

  /** @throws {MeshError} `capacity` when the broker or the mesh has no room for one more. */
  requireRoom(meshId: string): void {
    const { connections, connectionsPerMesh } = this.#limits;
    if (this.#authenticated >= connections) throw full("broker", connections);
    if ((this.#perMesh.get(meshId) ?? 0) >= connectionsPerMesh) {
      throw full("mesh", connectionsPerMesh);
    }
  }

  /** A socket opened. */
  add(socket: TrackedSocket): void {
    this.#sockets.set(socket, { takenBytes: 0, sinceMs: this.#clock.now() });
    count(this.#unauthenticated, socket.address, 1);
  }

  /** A socket said a good hello; its `meshId` is set. */
  authenticated(socket: TrackedSocket): void {
    count(this.#unauthenticated, socket.address, -1);
    count(this.#perMesh, socket.meshId ?? "", 1);
    this.#authenticated += 1;
    this.#metrics.connectionsTotal.inc();
    this.#metrics.connectionsActive.inc();
  }

  /** A socket is closed for good. */
  remove(socket: TrackedSocket): void {
    if (!this.#sockets.delete(socket)) return;
    if (socket.meshId === null) count(this.#unauthenticated, socket.address, -1);
    else {
      count(this.#perMesh, socket.meshId, -1);
      this.#authenticated -= 1;
      this.#metrics.connectionsActive.dec();
    }
    if (this.#sockets.size === 0) { for (const resolve of this.#emptyWaiters.splice(0)) resolve(); }
  }

  /** Cuts sockets whose peer has taken nothing of what waits for it for too long. */
  sweep(): void {
    const nowMs = this.#clock.now();
    for (const [socket, watch] of this.#sockets) {
      const { takenBytes, waitingBytes } = socket.progress();
      if (waitingBytes > 0 && takenBytes <= watch.takenBytes) {
        if (nowMs - watch.sinceMs >= this.#limits.deadAfterMs) socket.close(4008, "slow_reader");
        continue;
      }
      watch.takenBytes = takenBytes;
      watch.sinceMs = nowMs;
    }
  }

  /** Closes every socket. */
  closeAll(code: number, reason: string): void {
    for (const socket of [...this.#sockets.keys()]) socket.close(code, reason);
  }

  /** Resolves when no socket is left. */
  empty(): Promise<void> {
    if (this.#sockets.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#emptyWaiters.push(resolve));
  }
}

function full(what: string, limit: number): MeshError {
  return new MeshError("capacity", `the ${what} has its ${limit} connections; try again later`, {
    data: { limit, retry_after_ms: 5_000 },
  });
}

function count(counts: Map<string, number>, key: string, change: number): void {
  const next = (counts.get(key) ?? 0) + change;
  if (next > 0) counts.set(key, next);
  else counts.delete(key);
}
