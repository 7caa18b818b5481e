/**
 * Builds a broker from its parts and takes it down again: the one place that knows them all.
 */
import { SqlMessageStore } from "../storage/sql/queries/messages.ts";
import { openMigratedSql } from "../storage/sql/open.ts";
import type { Sql } from "../storage/sql/port.ts";
import { features } from "./api/catalog.ts";
import { Activity } from "./core/activity.ts";
import { atRest, loadAtRestKey } from "./core/at_rest.ts";
import { type Clock, type Random, systemClock, systemRandom } from "./core/clock.ts";
import { ConnectionTable } from "./core/connection_table.ts";
import type { BrokerContext } from "./core/context.ts";
import { Delivery } from "./core/delivery/delivery.ts";
import { Dispatch } from "./core/dispatch.ts";
import { Handshake } from "./core/handshake.ts";
import { Ledger } from "./core/ledger.ts";
import { brokerLog } from "./core/log.ts";
import { Meshes } from "./core/meshes.ts";
import { Metrics } from "./core/metrics.ts";
import type { Member } from "./core/model.ts";
import { loadOperatorToken } from "./core/operator_token.ts";
import type { PeerSocketParts } from "./core/peer_socket.ts";
import { PeerFileRelay } from "./core/peer_file_relay.ts";
import { PresenceEvents } from "./core/presence_events.ts";
import { RateLimits } from "./core/rate_limits.ts";
import { SessionStore } from "./core/session_store.ts";
import { Sessions } from "./core/sessions.ts";
import { SimulationClocks } from "./core/simulation_clocks.ts";
import type { Settings } from "./core/settings.ts";
import { StatusEngine } from "./core/status_engine.ts";
import { StoreClaim } from "./core/store_claim.ts";
import { sqlStreamStore, StreamHub } from "./core/streams/stream_hub.ts";
import { StreamWriter } from "./core/streams/stream_writer.ts";
import { SystemEvents } from "./core/system_events.ts";
import { Transfers } from "./core/transfers.ts";
import { WakeSignal } from "./core/wake_signal.ts";
import { handlers } from "./features/catalog.ts";
import { createHttp } from "./http/app.ts";
import { watchEventLoop } from "./jobs/event_loop_lag.ts";
import { startJobs } from "./jobs/schedule.ts";
import { upgradeSocket } from "./http/socket_upgrade.ts";
import { openStores } from "./open_stores.ts";

/** How long the end waits for a store that hangs, and for peers that do not answer a close. */
const DRAIN_MS = 10_000;
const CLOSE_MS = 2_000;

/** What a test may put in the place of the real ones. */
export interface BrokerOptions {
  readonly clock?: Clock;
  readonly random?: Random;
  /** A migrated store; it is left open at the end. */
  readonly sql?: Sql;
  /** Another broker has taken the database: this one must end. */
  readonly onStoreLost?: () => void;
}

/** A broker that runs. */
export interface Broker {
  readonly port: number;
  /** How peers reach it. */
  readonly url: string;
  readonly context: BrokerContext;
  /** The file with the operator's token; null when the token was configured. */
  readonly operatorTokenPath: string | null;
  /** Where the key for secrets at rest came from. */
  readonly encryptionKey: { readonly source: string; readonly path: string | null };
  /** Stops accepting, finishes commits, closes connections with 1001, and gives everything back. Idempotent. */
  close(): Promise<void>;
}

/** Gives something back. */
type Undo = () => Promise<void> | void;

/**
 * Starts a broker; it accepts connections when this resolves.
 * @throws {Error} that says why it cannot start and what to do; nothing is left behind.
 */
export async function startBroker(
  settings: Settings,
  options: BrokerOptions = {},
): Promise<Broker> {
  const undo: Undo[] = [];
  try {
    return await build(settings, options, undo);
  } catch (error) {
    for (const step of undo.reverse()) await step();
    throw error;
  }
}

async function build(settings: Settings, options: BrokerOptions, undo: Undo[]): Promise<Broker> {
  const held = await acquire(settings, options, undo);
  const assembly = await assemble(settings, held);
  undo.push(assembly.close);
  const { broker, table, state } = assembly;
  const server = listen(settings, assembly);
  const { port } = server.addr as Deno.NetAddr;
  state.publicUrl = settings.publicUrl ?? urlOf(settings.host, port);
  const stopJobs = startJobs(broker, table);
  const stopLag = watchEventLoop(broker.metrics);
  async function stop(): Promise<void> {
    stopJobs();
    await drain(assembly, server);
    stopLag();
    assembly.close();
    for (const step of held.undo.reverse()) await step();
  }
  let closing: Promise<void> | null = null;
  return {
    port,
    url: broker.publicUrl(),
    context: broker,
    operatorTokenPath: held.operator.path,
    encryptionKey: held.encryptionKey,
    close: () => closing ??= stop(),
  };
}

/** Opens what must be given back, and the secrets. */
async function acquire(settings: Settings, options: BrokerOptions, undo: Undo[]) {
  const clock = options.clock ?? systemClock;
  const random = options.random ?? systemRandom;
  await makeDataDir(settings.dataDir);
  const sql = options.sql ?? await openStore(settings);
  if (options.sql === undefined) undo.push(() => sql.close());
  const onLost = options.onStoreLost ??
    (() => brokerLog().error("another broker took the database"));
  const claim = await StoreClaim.take(sql, { clock, onLost });
  undo.push(() => claim.release());
  const { dataDir, container } = settings;
  const { key, ...encryptionKey } = await loadAtRestKey({
    configured: settings.encryptionKey,
    dataDir,
    container,
    random,
  });
  const open = await openStores(settings, sql, key);
  undo.push(() => open.close());
  const operator = await loadOperatorToken({ configured: settings.operatorToken, dataDir, random });
  const { stores } = open;
  return { clock, random, sql, stores, key, encryptionKey, operator, undo };
}

type Held = Awaited<ReturnType<typeof acquire>>;

/** Makes the parts and lets them know each other. */
async function assemble(settings: Settings, held: Held) {
  const { clock, random, sql, stores, key, operator } = held;
  const log = brokerLog();
  const metrics = new Metrics();
  const store = new SqlMessageStore(sql);
  const { limits } = settings;
  const onError = (error: unknown) => log.error("delivery failed", { error: stackOf(error) });
  const onCommit = (tookMs: number) => metrics.commitSeconds.observe(tookMs / 1000);
  const ledger = await Ledger.open({ store, sql, clock, random, onCommit, onError });
  const delivery = new Delivery({ store, ledger, clock, limits, metrics, onError });
  const events = new SystemEvents(clock, random);
  const rates = new RateLimits(clock);
  const streams = new StreamHub({ store: sqlStreamStore(sql), clock, limits });
  const streamWriter = new StreamWriter({ ledger, hub: streams, clock, random, limits });
  const activity = new Activity({ sql, ledger, clock });
  const base = { settings, clock, random, sql, ledger, delivery, activity, events, metrics };
  const present = presenceOf(base);
  const { news, sessionStore, sessions, status, meshes, simulationClocks, planChanged } = present;
  const state = { publicUrl: "", stopping: false };
  const broker: BrokerContext = {
    settings,
    clock,
    random,
    log,
    metrics,
    sql,
    stores,
    ledger,
    delivery,
    meshes,
    sessions,
    status,
    peerFiles: new PeerFileRelay({ clock, limits }),
    transfers: new Transfers({ objects: stores.objects, clock, limits, metrics }),
    activity,
    events,
    streams,
    streamWriter,
    simulationClocks,
    planChanged,
    rates,
    atRest: atRest(key, random),
    operatorToken: operator.token,
    publicUrl: () => state.publicUrl,
    stopping: () => state.stopping,
  };
  const table = new ConnectionTable(limits, clock, metrics);
  const requireRoom = (meshId: string) => table.requireRoom(meshId);
  const { compat } = settings;
  const handshake = new Handshake({ clock, limits, compat, meshes, sessions, rates, requireRoom });
  const dispatch = new Dispatch(broker, features, handlers);
  function close(): void {
    broker.peerFiles.close();
    sessions.close();
    news.close();
    sessionStore.close();
    streams.close();
    delivery.close();
  }
  return { broker, table, handshake, dispatch, state, sessionStore, close };
}

type Assembly = Awaited<ReturnType<typeof assemble>>;

/** Who is where: sessions, their status, and the meshes they are in. */
function presenceOf(
  parts:
    & Pick<BrokerContext, "settings" | "clock" | "random" | "sql" | "ledger" | "delivery">
    & Pick<BrokerContext, "activity" | "events" | "metrics">,
) {
  const { settings, clock, random, sql, ledger, delivery, activity, events, metrics } = parts;
  const news = new PresenceEvents(clock, events);
  const sessionStore = new SessionStore(ledger, clock, brokerLog());
  const drain = (member: Member) => delivery.drain(member);
  const { leaseMs } = settings.limits;
  const sessions = new Sessions({ sql, clock, random, leaseMs, store: sessionStore, news, drain });
  const status = new StatusEngine({
    clock,
    sessions,
    freshMs: settings.hookFreshMs,
    ttlMs: settings.statusTtlMs,
    drain,
    onExpired: () => metrics.statusSweeps.inc(),
  });
  const planChanged = new WakeSignal();
  const simulationClocks = new SimulationClocks({
    sql,
    ledger,
    clock,
    changed: () => planChanged.wake(),
    onError: (error) => brokerLog().warn("a clock was not stored", { error: textOf(error) }),
  });
  const meshes = new Meshes(sql, async (mesh) => {
    await sessions.restore(mesh);
    await activity.load(mesh);
    await delivery.load(mesh);
    await simulationClocks.load(mesh);
  });
  return { news, sessionStore, sessions, status, meshes, simulationClocks, planChanged };
}

/** Finishes what was accepted, then lets the peers go: they come back to the next broker. */
async function drain(assembly: Assembly, server: Deno.HttpServer): Promise<void> {
  const { broker, state, table, sessionStore } = assembly;
  const { clock, delivery, sessions, log } = broker;
  state.stopping = true;
  await within(
    clock,
    DRAIN_MS,
    delivery.flush(),
    (error) => log.error("not everything was stored at the end", { error: textOf(error) }),
  );
  await within(
    clock,
    DRAIN_MS,
    broker.activity.flush(broker.meshes.all()),
    (error) => log.error("the members' counters were not stored", { error: textOf(error) }),
  );
  sessions.close();
  table.closeAll(1001, "shutting down");
  await within(clock, CLOSE_MS, table.empty(), () => {});
  await within(clock, CLOSE_MS, server.shutdown(), () => {});
  await within(clock, DRAIN_MS, sessionStore.flush(), () => {});
  await within(clock, DRAIN_MS, broker.simulationClocks.flush(), () => {});
}

/** @throws {Error} that says what to do when the folder cannot be made. */
async function makeDataDir(dataDir: string): Promise<void> {
  try {
    await Deno.mkdir(dataDir, { recursive: true, mode: 0o700 });
  } catch (cause) {
    const why = cause instanceof Error ? cause.name : "no reason given";
    throw new Error(
      `the data folder ${dataDir} cannot be made (${why}); choose another with --data-dir ` +
        "(CLAUDEMESH_DATA_DIR)",
      { cause },
    );
  }
}

async function openStore({ databaseUrl, dataDir }: Settings): Promise<Sql> {
  const log = brokerLog();
  const onWarning = (message: string) => log.warn("the store warns", { message });
  if (databaseUrl === null) return await openMigratedSql({ dataDir, onWarning });
  try {
    return await openMigratedSql({ databaseUrl, dataDir, onWarning });
  } catch (cause) {
    throw new Error(
      `the database of DATABASE_URL cannot be used: ${textOf(cause)}; start its server or ` +
        "correct DATABASE_URL",
      { cause },
    );
  }
}

/** @throws {Error} that says what to do when the address cannot be used. */
function listen(settings: Settings, peers: PeerSocketParts): Deno.HttpServer {
  const { host: hostname, port } = settings;
  const http = createHttp(peers.broker);
  try {
    return Deno.serve({ hostname, port, onListen() {} }, (request, info) => {
      const { pathname } = new URL(request.url);
      if (pathname === "/ws") return upgradeSocket(peers, request, info.remoteAddr);
      return http.fetch(request, { remoteAddr: info.remoteAddr });
    });
  } catch (cause) {
    throw new Error(listenProblem(cause, hostname, port), { cause });
  }
}

function listenProblem(cause: unknown, host: string, port: number): string {
  if (cause instanceof Deno.errors.AddrInUse) {
    return `port ${port} on ${host} is taken; stop the other program or choose another with --port (PORT)`;
  }
  if (cause instanceof Deno.errors.AddrNotAvailable) {
    return `${host} is no address of this machine; choose one with --host (HOST)`;
  }
  if (cause instanceof Deno.errors.PermissionDenied) {
    return `port ${port} needs more rights; choose one above 1023 with --port (PORT)`;
  }
  return `cannot listen on ${host} port ${port}: ${textOf(cause)}`;
}

function urlOf(host: string, port: number): string {
  if (host === "0.0.0.0" || host === "::") return `http://127.0.0.1:${port}`;
  return host.includes(":") ? `http://[${host}]:${port}` : `http://${host}:${port}`;
}

/** Waits for `work`, but not longer than `limitMs`. */
async function within(
  clock: Clock,
  limitMs: number,
  work: Promise<void>,
  onFailure: (error: unknown) => void,
): Promise<void> {
  await new Promise<void>((resolve) => {
    const cancel = clock.after(limitMs, resolve);
    work.catch(onFailure).finally(() => {
      cancel();
      resolve();
    });
  });
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function stackOf(error: unknown): string {
  return error instanceof Error ? error.stack ?? error.message : String(error);
}
