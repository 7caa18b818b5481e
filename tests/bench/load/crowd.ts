/**
 * Many connections of one mesh that do nothing but stay.
 */
import type { Prepared } from "./main.ts";
import { MeshSocket } from "./mesh_socket.ts";
import type { CrowdOrder, CrowdResult } from "./order.ts";

/** Connects `total` times, `concurrency` at once; returns how it went and what is connected. */
export async function connectAll<T>(
  total: number,
  concurrency: number,
  connect: (index: number) => Promise<T>,
): Promise<{ result: CrowdResult; connected: T[] }> {
  const connected: T[] = [];
  const failures: string[] = [];
  const startedAt = performance.now();
  let next = 0;
  async function worker(): Promise<void> {
    while (next < total) {
      const index = next++;
      try {
        connected.push(await connect(index));
      } catch (error) {
        failures.push(String(error));
      }
    }
  }
  await Promise.all(Array.from({ length: concurrency }, worker));
  const tookMs = performance.now() - startedAt;
  return { result: { connected: connected.length, tookMs, failures }, connected };
}

/** Connects all members of an order when it is told to go. */
export function prepareCrowd(order: CrowdOrder): Prepared {
  let sockets: MeshSocket[] = [];
  return {
    async run(): Promise<CrowdResult> {
      const { members, concurrency, url, meshId } = order;
      const { result, connected } = await connectAll(members.length, concurrency, (index) => {
        const identity = members[index];
        if (identity === undefined) throw new RangeError(`there is no member ${index}`);
        return MeshSocket.connect({ url, meshId, identity });
      });
      sockets = connected;
      return result;
    },
    async end() {
      await Promise.all(sockets.map((socket) => socket.close()));
    },
  };
}
