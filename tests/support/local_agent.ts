/**
 * A whole agent inside the test's own process: the daemon with a home of its own, reached over its socket as any client
 * reaches it.
 */
import type { LocalMethodName, LocalParams, LocalResult } from "../../agent/core/local_api.ts";
import { type LocalClient, openLocal } from "../../agent/core/local_client.ts";
import { createMesh, joinMesh } from "../../agent/core/enrol.ts";
import type { LocalEvent, LocalMessage } from "../../agent/core/local_types.ts";
import { type Daemon, startDaemon } from "../../agent/daemon/daemon.ts";
import { daemonSetup } from "../../agent/daemon/main.ts";
import { Home } from "../../agent/home/home.ts";
import { homePaths } from "../../agent/home/paths.ts";

const PATIENCE_MS = 15_000;

/** A client of the agent that keeps every event it hears. */
export class TestClient {
  readonly client: LocalClient;
  readonly events: LocalEvent[] = [];
  readonly #waiters = new Set<() => void>();

  constructor(client: LocalClient) {
    this.client = client;
    client.onEvent((event) => {
      this.events.push(event);
      for (const waiter of [...this.#waiters]) waiter();
    });
  }

  call<M extends LocalMethodName>(method: M, params: LocalParams<M>): Promise<LocalResult<M>> {
    return this.client.call(method, params);
  }

  /** Waits for an event that `find` makes something of, among those that came already too. */
  async event<T>(what: string, find: (event: LocalEvent) => T | null): Promise<T> {
    const look = () => {
      for (const event of this.events) {
        const found = find(event);
        if (found !== null) return found;
      }
      return null;
    };
    const found = look();
    if (found !== null) return found;
    return await new Promise<T>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiters.delete(waiter);
        reject(new Error(`not within ${PATIENCE_MS} ms: ${what}`));
      }, PATIENCE_MS);
      const waiter = () => {
        const value = look();
        if (value === null) return;
        clearTimeout(timer);
        this.#waiters.delete(waiter);
        resolve(value);
      };
      this.#waiters.add(waiter);
    });
  }

  /** Waits for a message with this text. */
  message(text: string): Promise<LocalMessage> {
    return this.event(
      `the message ${JSON.stringify(text)}`,
      (event) => event.kind === "message" && event.message.text === text ? event.message : null,
    );
  }
}

export class LocalAgent {
  readonly name: string;
  readonly home: Home;
  readonly folder: string;
  #daemon: Daemon | null = null;
  readonly #clients = new Set<LocalClient>();

  constructor(name: string) {
    this.name = name;
    this.folder = Deno.makeTempDirSync({ prefix: "claudemesh-local-" });
    this.home = new Home(
      homePaths((key) => key === "CLAUDEMESH_CONFIG_DIR" ? this.folder : undefined),
    );
  }

  get daemon(): Daemon {
    if (this.#daemon === null) throw new Error(`${this.name} does not run`);
    return this.#daemon;
  }

  async start(): Promise<this> {
    this.#daemon = await startDaemon(daemonSetup("1.2.3", this.home));
    return this;
  }

  async connect(): Promise<TestClient> {
    const client = await openLocal(this.home.paths.socketPath);
    if (client === null) throw new Error(`nobody listens for ${this.name}`);
    this.#clients.add(client);
    return new TestClient(client);
  }

  /** Makes a mesh; the running daemon takes it up. */
  async found(brokerUrl: string, slug: string): Promise<void> {
    const displayName = this.name;
    await createMesh(this.home, { brokerUrl, slug, name: slug, displayName, custody: "members" });
    await this.#takeUp();
  }

  async join(link: string): Promise<void> {
    await joinMesh(this.home, link, { displayName: this.name });
    await this.#takeUp();
  }

  /** Waits until every mesh is connected and its key is here. */
  async ready(): Promise<void> {
    const watcher = await this.connect();
    await watcher.call("messages.watch", {});
    for (;;) {
      const heard = watcher.events.length;
      const { meshes } = await watcher.call("agent.info", {});
      if (meshes.every((mesh) => mesh.connected && mesh.keyState === "current")) break;
      await watcher.event(
        `${this.name} is ready`,
        (event) => watcher.events.indexOf(event) >= heard ? event : null,
      );
    }
    await watcher.client.close();
  }

  async stop(): Promise<void> {
    for (const client of this.#clients) await client.close();
    this.#clients.clear();
    await this.#daemon?.close();
    this.#daemon = null;
  }

  async close(): Promise<void> {
    await this.stop();
    await Deno.remove(this.folder, { recursive: true });
  }

  async #takeUp(): Promise<void> {
    const client = await this.connect();
    await client.call("agent.reload", {});
    await client.client.close();
  }
}

/** Starts agents and gathers them in the mesh `team` at `brokerUrl`, the first as its owner. */
export async function gatherLocally(
  brokerUrl: string,
  names: readonly string[],
): Promise<LocalAgent[]> {
  const agents = await Promise.all(names.map((name) => new LocalAgent(name).start()));
  const [owner, ...others] = agents;
  if (owner === undefined) return agents;
  await owner.found(brokerUrl, "team");
  await owner.ready();
  if (others.length > 0) {
    const client = await owner.connect();
    const { url } = await client.call("invite.create", { uses: others.length });
    await client.client.close();
    for (const other of others) await other.join(url);
  }
  for (const other of others) await other.ready();
  return agents;
}
