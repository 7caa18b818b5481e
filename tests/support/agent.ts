/**
 * An agent's core inside the test's own process, with a home of its own in a temporary folder: makes and joins meshes,
 * keeps every message that arrives, waits for what a test needs.
 */
import { type AgentClock, systemClock } from "../../agent/core/agent_clock.ts";
import type { JoinedMesh } from "../../agent/core/agent_home.ts";
import { createMesh, joinMesh, type JoinOutcome } from "../../agent/core/enrol.ts";
import { MeshPeer } from "../../agent/core/mesh_peer.ts";
import type { InboxMessage, MeshPeerState, PeerEvent } from "../../agent/core/mesh_peer_api.ts";
import { Home } from "../../agent/home/home.ts";
import { homePaths } from "../../agent/home/paths.ts";

const PATIENCE_MS = 15_000;

export class TestAgent {
  readonly name: string;
  readonly home: Home;
  /** Messages in the order in which listeners were told of them, over all restarts. */
  readonly received: InboxMessage[] = [];
  /** What `close` removes; null where another agent owns the home. */
  readonly #folder: string | null;
  readonly #clock: AgentClock;
  #peer: MeshPeer | null = null;
  #watchers = new Set<(event: PeerEvent) => void>();

  private constructor(name: string, home: Home, folder: string | null, clock: AgentClock) {
    this.name = name;
    this.home = home;
    this.#folder = folder;
    this.#clock = clock;
  }

  /** An agent with an empty home. */
  static create(name: string, clock: AgentClock = systemClock): TestAgent {
    const folder = Deno.makeTempDirSync({ prefix: "claudemesh-agent-" });
    const paths = homePaths((key) => key === "CLAUDEMESH_CONFIG_DIR" ? folder : undefined);
    return new TestAgent(name, new Home(paths), folder, clock);
  }

  /** An agent in the home of another one, which has stopped. */
  static at(home: Home, name: string, clock: AgentClock): TestAgent {
    return new TestAgent(name, home, null, clock);
  }

  /** Makes a mesh and starts in it. */
  async found(
    brokerUrl: string,
    slug: string,
    custody: "members" | "broker" = "members",
  ): Promise<MeshPeer> {
    const displayName = this.name;
    const mesh = await createMesh(this.home, { brokerUrl, slug, name: slug, displayName, custody });
    return this.start(mesh);
  }

  /** Joins by a link and starts in the mesh. */
  async join(link: string, brokerUrl?: string): Promise<JoinOutcome> {
    const outcome = await joinMesh(this.home, link, {
      displayName: this.name,
      ...(brokerUrl === undefined ? {} : { brokerUrl }),
    });
    this.start(outcome.mesh);
    return outcome;
  }

  /** Starts in a mesh of the configuration, the first one by default. */
  start(mesh: JoinedMesh = this.home.readConfig().meshes[0]!): MeshPeer {
    const peer = new MeshPeer({ mesh, home: this.home, clock: this.#clock });
    peer.on((event) => {
      if (event.kind === "message") this.received.push(event.message);
      for (const watcher of [...this.#watchers]) watcher(event);
    });
    this.#peer = peer;
    peer.start();
    return peer;
  }

  get peer(): MeshPeer {
    if (this.#peer === null) throw new Error(`${this.name} is not in a mesh`);
    return this.#peer;
  }

  get stateDir(): string {
    return this.home.stateDir(this.peer.mesh.meshId);
  }

  /** Waits for a state; the failure tells the last one. */
  async state(what: string, holds: (state: MeshPeerState) => boolean): Promise<MeshPeerState> {
    await this.#event(
      () => holds(this.peer.state),
      () => `${this.name}: ${what}; it is ${JSON.stringify(this.peer.state)}`,
    );
    return this.peer.state;
  }

  async connected(): Promise<void> {
    await this.state("connected", (state) => state.connected);
  }

  /** Waits until the current mesh key is here. */
  async ready(): Promise<void> {
    await this.state("has the key", (state) => state.connected && state.keyState === "current");
  }

  /** Waits until so many messages have arrived; returns their texts. */
  async texts(count: number): Promise<(string | null)[]> {
    await this.#event(
      () => this.received.length >= count,
      () => `${this.name}: ${count} messages; there are ${this.received.length}`,
    );
    return this.received.map((message) => message.body);
  }

  /** Waits for a system event that comes from now on. */
  async event(name: string): Promise<Readonly<Record<string, unknown>>> {
    let data: Readonly<Record<string, unknown>> | null = null;
    await this.#event((event) => {
      if (event?.kind === "system" && event.event === name) data = event.data;
      return data !== null;
    }, () => `${this.name}: event ${name}`);
    return data!;
  }

  /** Stops the peer; the home stays. */
  async stop(): Promise<void> {
    await this.#peer?.stop();
    this.#peer = null;
  }

  /** Stops the peer and removes the home. */
  async close(): Promise<void> {
    await this.stop();
    if (this.#folder !== null) Deno.removeSync(this.#folder, { recursive: true });
  }

  /** Resolves as soon as `holds`, asked now and at every event. */
  #event(holds: (event: PeerEvent | null) => boolean, what: () => string): Promise<void> {
    if (holds(null)) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#watchers.delete(watcher);
        reject(new Error(`not within ${PATIENCE_MS} ms: ${what()}`));
      }, PATIENCE_MS);
      const watcher = (event: PeerEvent) => {
        if (!holds(event)) return;
        clearTimeout(timer);
        this.#watchers.delete(watcher);
        resolve();
      };
      this.#watchers.add(watcher);
    });
  }
}

/** Makes agents, runs `run` with them, closes them whatever happens. */
export async function withAgents(
  names: readonly string[],
  run: (...agents: TestAgent[]) => Promise<void>,
): Promise<void> {
  const agents = names.map((name) => TestAgent.create(name));
  try {
    await run(...agents);
  } finally {
    for (const agent of agents) await agent.close();
  }
}

/** Lets `agents` join the mesh of `owner` by one invite and waits until all of them hold the mesh key. */
export async function gather(owner: TestAgent, ...agents: TestAgent[]): Promise<void> {
  if (agents.length === 0) return await owner.ready();
  const { url } = await owner.peer.createInvite({ uses: agents.length });
  for (const agent of agents) await agent.join(url);
  for (const agent of [owner, ...agents]) await agent.ready();
}
