/**
 * The broker's figures for `/metrics`, with bounded labels: never a mesh, a member or an address. Names that the
 * reference protocol 9.13 has are kept.
 */
import { Counter, Gauge, Histogram, Registry } from "prom-client";

const LAG_BUCKETS_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5];
const WAIT_BUCKETS_SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5];

/** All figures of one broker. */
export class Metrics {
  readonly registry = new Registry();

  readonly connectionsTotal = this.#counter(
    "broker_connections_total",
    "Connections that said a good hello",
  );
  readonly connectionsActive = this.#gauge(
    "broker_connections_active",
    "Authenticated connections",
  );
  readonly connectionsRejected = this.#counter(
    "broker_connections_rejected_total",
    "Refused hellos and upgrades",
    ["reason"],
  );
  readonly connectionsCut = this.#counter(
    "broker_connections_cut_total",
    "Connections that the broker ended for their behaviour",
    ["reason"],
  );
  readonly operations = this.#counter(
    "broker_operations_total",
    "Operations by request type; types that do not exist count as unknown",
    ["type"],
  );
  readonly operationErrors = this.#counter(
    "broker_operation_errors_total",
    "Operations that were answered with an error",
    ["code"],
  );
  readonly messagesRouted = this.#counter(
    "broker_messages_routed_total",
    "Messages that were committed and acknowledged",
    ["priority"],
  );
  readonly deliveriesAcked = this.#counter(
    "broker_deliveries_acked_total",
    "Deliveries that their recipient's agent acknowledged",
  );
  readonly messagesRejected = this.#counter(
    "broker_messages_rejected_total",
    "Sends that were refused",
    ["reason"],
  );
  readonly droppedByGrant = this.#counter(
    "broker_messages_dropped_by_grant_total",
    "Deliveries that a recipient's grants kept out",
    ["cap"],
  );
  readonly queueDepth = this.#gauge("broker_queue_depth", "Open deliveries");
  readonly commitSeconds = this.#histogram(
    "broker_commit_seconds",
    "Time of one commit in the store",
    WAIT_BUCKETS_SECONDS,
  );
  readonly statusSweeps = this.#counter(
    "broker_status_expired_total",
    "Sessions whose `working` ran out",
  );
  readonly hookRequests = this.#counter("broker_hook_requests_total", "Status posts of hooks");
  readonly hookRequestsLimited = this.#counter(
    "broker_hook_requests_rate_limited_total",
    "Status posts refused for their rate",
  );
  readonly fileBytes = this.#counter(
    "broker_file_bytes_total",
    "Bytes of shared files that came in and went out",
    ["direction"],
  );
  readonly fileTransfers = this.#gauge(
    "broker_file_transfers_active",
    "Uploads and downloads under way",
  );
  readonly storeHealthy = this.#gauge("broker_db_healthy", "1 while the store answers");
  readonly eventLoopLag = this.#histogram(
    "broker_event_loop_lag_seconds",
    "How late timers run: how long the event loop was blocked",
    LAG_BUCKETS_SECONDS,
  );
  readonly eventLoopLagMax = this.#gauge(
    "broker_event_loop_lag_max_seconds",
    "The longest lag since the start",
  );
  readonly residentBytes = new Gauge({
    name: "process_resident_memory_bytes",
    help: "Resident memory of the process",
    registers: [this.registry],
    collect() {
      this.set(Deno.memoryUsage().rss);
    },
  });

  /** The figures as text, and its content type. */
  async text(): Promise<{ body: string; contentType: string }> {
    return { body: await this.registry.metrics(), contentType: this.registry.contentType };
  }

  #counter<Label extends string = never>(
    name: string,
    help: string,
    labelNames: Label[] = [],
  ): Counter<Label> {
    return new Counter({ name, help, labelNames, registers: [this.registry] });
  }

  #gauge(name: string, help: string): Gauge {
    return new Gauge({ name, help, registers: [this.registry] });
  }

  #histogram(name: string, help: string, buckets: number[]): Histogram {
    return new Histogram({ name, help, buckets, registers: [this.registry] });
  }
}
