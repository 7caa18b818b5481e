/**
 * Waiting until what was accepted has arrived: connections, outboxes, inboxes.
 */
import { readInboxFile } from "../../support/inbox_file.ts";
import type { Person } from "../../support/person.ts";
import { until } from "../../support/until.ts";

const CONNECT_LIMIT_MS = 20_000;
const ARRIVAL_LIMIT_MS = 90_000;

/** Waits for a person's connection, which the agent else tries again in its own time. */
export async function connected(person: Person): Promise<void> {
  await person.withAgent(async (client) => {
    await client.call("mesh.reconnect", {});
    await until(`${person.name} is connected`, CONNECT_LIMIT_MS, async () => {
      const { meshes } = await client.call("agent.info", {});
      return meshes.every((mesh) => mesh.connected);
    });
  });
}

/** Waits until the mesh key was handed over: without it group messages cannot be written. */
export async function hasMeshKey(person: Person): Promise<void> {
  await person.withAgent((client) =>
    until(`${person.name} has the mesh key`, CONNECT_LIMIT_MS, async () => {
      const { meshes } = await client.call("agent.info", {});
      return meshes.length > 0 && meshes.every((mesh) => mesh.keyState === "current");
    })
  );
}

/** Waits until the broker has taken everything that this person sent. */
export async function outboxEmpty(person: Person): Promise<void> {
  await person.withAgent((client) =>
    until(`${person.name}'s outbox is empty`, ARRIVAL_LIMIT_MS, async () => {
      const { meshes } = await client.call("agent.info", {});
      return meshes.every((mesh) => mesh.connected && mesh.queued === 0);
    })
  );
}

/**
 * Waits until all of `promised` is in a person's inbox and the broker has nothing more for them.
 */
export async function inboxWhole(
  person: Person,
  meshId: string,
  promised: readonly string[],
): Promise<void> {
  function missing(): string[] {
    const texts = new Set(readInboxFile(person, meshId).map(({ text }) => text));
    return promised.filter((text) => !texts.has(text));
  }
  await person.withAgent((client) =>
    until(`${person.name} has all ${promised.length} messages`, ARRIVAL_LIMIT_MS, async () => {
      if (missing().length > 0) return false;
      const { results } = await client.call("call", { wire: "mesh_info" });
      return results.every((result) => result.ok && result.output.queued === 0);
    }, () => `missing: ${missing().slice(0, 5).join("; ")}`)
  );
}
