/**
 * The MCP server's way to the agent: connects in the background, attaches the session, comes back after the agent was
 * replaced, and says in words why it is not connected.
 */
import type { LocalParams } from "../agent/core/local_api.ts";
import type { LocalClient } from "../agent/core/local_client.ts";
import { LocalError, summarizeError } from "../agent/core/local_error.ts";
import type { LocalEvent, SessionState } from "../agent/core/local_types.ts";

export interface AgentLinkOptions {
  /** Connects to the agent, which is started when none runs. */
  connect(): Promise<LocalClient>;
  /** How the session presents itself. */
  attachment(): LocalParams<"session.attach">;
  onEvent(event: LocalEvent): void;
  onAttached(state: SessionState): void;
  /** Milliseconds between attempts, the first and the longest. */
  readonly pausesMs?: readonly [number, number];
}

const PAUSES_MS = [250, 5_000] as const;

export class AgentLink {
  readonly #options: AgentLinkOptions;
  readonly #stopped = Promise.withResolvers<void>();
  #isStopped = false;
  #mayAttach = Promise.withResolvers<void>();
  #connected = Promise.withResolvers<LocalClient>();
  #attached = Promise.withResolvers<LocalClient>();
  #client: LocalClient | null = null;
  #session: SessionState | null = null;
  #failure: unknown = null;
  #loop: Promise<void> | null = null;

  constructor(options: AgentLinkOptions) {
    this.#options = options;
    // Nobody has to wait for it.
    this.#attached.promise.catch(() => {});
  }

  /** The session as it was attached last; null before. */
  get session(): SessionState | null {
    return this.#session;
  }

  /** Begins to connect; the session is attached once `allowAttach` was called. */
  start(): void {
    this.#loop ??= this.#run();
  }

  /** The client has finished its handshake, or uses the server: show the session in the meshes. */
  allowAttach(): void {
    this.#mayAttach.resolve();
  }

  /**
   * Returns the connection once the session is attached.
   * @throws {LocalError} `not_connected` with the reason when that takes longer than `waitMs`.
   */
  async client(waitMs: number): Promise<LocalClient> {
    this.allowAttach();
    return await this.#within(waitMs, this.#attached.promise);
  }

  /**
   * Returns the connection, be the session attached or not: for what only looks, and shows nobody.
   * @throws {LocalError} `not_connected` with the reason when that takes longer than `waitMs`.
   */
  async connected(waitMs: number): Promise<LocalClient> {
    return await this.#within(waitMs, this.#connected.promise);
  }

  async #within(waitMs: number, connection: Promise<LocalClient>): Promise<LocalClient> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<null>((resolve) => {
      timer = setTimeout(() => resolve(null), waitMs);
    });
    try {
      const client = await Promise.race([connection, late]);
      if (client !== null) return client;
    } finally {
      clearTimeout(timer);
    }
    throw this.#notConnected();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#stopped.resolve();
    this.#mayAttach.resolve();
    await this.#client?.close();
    await this.#loop;
  }

  #notConnected(): LocalError {
    if (this.#failure === null) {
      return new LocalError("not_connected", "claudemesh is still connecting to its agent", {
        exit: 4,
        hint: "Try again in a few seconds",
      });
    }
    const { message, hint } = summarizeError(this.#failure);
    return new LocalError("not_connected", `claudemesh is not connected: ${message}`, {
      exit: 4,
      hint: hint ?? "Run `claudemesh doctor` in a terminal",
    });
  }

  async #run(): Promise<void> {
    const [first, longest] = this.#options.pausesMs ?? PAUSES_MS;
    let pauseMs = first;
    while (!this.#isStopped) {
      try {
        await this.#connectOnce();
        pauseMs = first;
      } catch (error) {
        this.#failure = error;
        await this.#client?.close();
        pauseMs = Math.min(pauseMs * 2, longest);
      }
      // Who waits for the first connection goes on waiting.
      if (this.#client !== null) this.#connected = Promise.withResolvers();
      this.#client = null;
      await this.#pause(pauseMs);
    }
  }

  /** Connects, attaches, and returns when the connection has ended. */
  async #connectOnce(): Promise<void> {
    const client = await this.#options.connect();
    this.#client = client;
    if (this.#isStopped) return await client.close();
    this.#connected.resolve(client);
    await Promise.race([this.#mayAttach.promise, client.closed]);
    if (this.#isStopped) return await client.close();
    client.onEvent((event) => this.#options.onEvent(event));
    this.#session = await client.call("session.attach", this.#options.attachment());
    this.#failure = null;
    this.#attached.resolve(client);
    this.#options.onAttached(this.#session);
    await client.closed;
    this.#attached = Promise.withResolvers();
    this.#attached.promise.catch(() => {});
    this.#failure = new LocalError("agent_gone", "the agent was stopped");
  }

  async #pause(pauseMs: number): Promise<void> {
    if (this.#isStopped) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const passed = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, pauseMs);
    });
    await Promise.race([passed, this.#stopped.promise]);
    clearTimeout(timer);
  }
}
