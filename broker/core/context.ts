/**
 * What operations, routes and jobs get to work with: one `BrokerContext` per broker, one `Call` per operation.
 */
import type { Logger } from "@logtape/logtape";
import type { Sql } from "../../storage/sql/port.ts";
import type { Activity } from "./activity.ts";
import type { AtRest } from "./at_rest.ts";
import type { Clock, Random } from "./clock.ts";
import type { Delivery } from "./delivery/delivery.ts";
import type { Ledger } from "./ledger.ts";
import type { Meshes } from "./meshes.ts";
import type { Metrics } from "./metrics.ts";
import type { Connection } from "./model.ts";
import type { PeerFileRelay } from "./peer_file_relay.ts";
import type { RateLimits } from "./rate_limits.ts";
import type { Sessions } from "./sessions.ts";
import type { Settings } from "./settings.ts";
import type { SimulationClocks } from "./simulation_clocks.ts";
import type { StatusEngine } from "./status_engine.ts";
import type { Stores } from "./stores.ts";
import type { StreamHub } from "./streams/stream_hub.ts";
import type { StreamWriter } from "./streams/stream_writer.ts";
import type { SystemEvents } from "./system_events.ts";
import type { Transfers } from "./transfers.ts";
import type { WakeSignal } from "./wake_signal.ts";

/** The parts of a running broker. */
export interface BrokerContext {
  readonly settings: Settings;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** For reads; writes go through the ledger. */
  readonly sql: Sql;
  /** Objects, vectors, graphs and the meshes' own databases. */
  readonly stores: Stores;
  readonly ledger: Ledger;
  readonly delivery: Delivery;
  /** Meshes and their members in memory. */
  readonly meshes: Meshes;
  readonly sessions: Sessions;
  readonly status: StatusEngine;
  /** Files on their way in and out. */
  readonly transfers: Transfers;
  /** Requests for peers' files that have no answer yet. */
  readonly peerFiles: PeerFileRelay;
  /** Counts what members do. */
  readonly activity: Activity;
  /** Sends system events to connections. */
  readonly events: SystemEvents;
  /** Who follows which stream. */
  readonly streams: StreamHub;
  readonly streamWriter: StreamWriter;
  /** The meshes' simulated times. */
  readonly simulationClocks: SimulationClocks;
  /** Wakes what runs schedules and ticks: there is something new to wait for. */
  readonly planChanged: WakeSignal;
  readonly rates: RateLimits;
  /** Seals the broker's own secrets. */
  readonly atRest: AtRest;
  /** The token of the operator, for routes that are not for everybody. */
  readonly operatorToken: string;
  /** How peers reach the broker, `http` or `https`, without a trailing slash; known once it listens. */
  publicUrl(): string;
  /** True from SIGTERM on. */
  stopping(): boolean;
}

/** One call of an operation by an authenticated connection. */
export interface Call {
  readonly broker: BrokerContext;
  readonly connection: Connection;
  /** The frame's `_reqId`, null when it had none. */
  readonly requestId: string | null;
}
