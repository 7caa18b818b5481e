/**
 * What the local methods work with: the agent's parts, and the connection that calls.
 */
import type { AgentHome } from "../core/agent_home.ts";
import type { LocalMethodName, LocalResult, ParsedParams } from "../core/local_api.ts";
import type { AgentInfo } from "../core/local_types.ts";
import type { AgentLog } from "./agent_log.ts";
import type { HookWorld } from "./hooks.ts";
import type { JoinedMeshes } from "./joined_meshes.ts";
import type { EventSink } from "./sessions.ts";
import type { Transfers } from "./transfers.ts";

/** One client of the agent. */
export interface Connection extends EventSink {
  /** Meshes whose events it wants to hear: "all", or slugs. */
  readonly watched: Set<string>;
  /** Streams that it watches, as `streamKey` writes them. */
  readonly streams: Set<string>;
  /** Sessions that end with it. */
  readonly sessions: Set<string>;
  /** Settles when the client is gone. */
  readonly gone: Promise<void>;
}

/** The agent as its methods see it. */
export interface Agent extends HookWorld {
  readonly home: AgentHome;
  readonly meshes: JoinedMeshes;
  readonly log: AgentLog;
  readonly transfers: Transfers;
  info(): AgentInfo;
  /** Begins to stop; the answer still goes out. */
  requestStop(): void;
  /** The configuration may have changed: starts and stops what it says. */
  reload(): Promise<string[]>;
  /** Every client that is connected. */
  connections(): Iterable<Connection>;
  /** Calls `listener` on each message that reaches the inbox until the returned function is called. */
  onArrival(listener: () => void): () => void;
}

export interface MethodContext {
  readonly agent: Agent;
  readonly connection: Connection;
  /** Runs `act` once the answer has been written to the client. */
  afterAnswer(act: () => void): void;
}

/** A method per name; a missing one does not compile. */
export type LocalHandlers<Names extends LocalMethodName = LocalMethodName> = {
  readonly [M in Names]: (
    context: MethodContext,
    params: ParsedParams<M>,
  ) => LocalResult<M> | Promise<LocalResult<M>>;
};
