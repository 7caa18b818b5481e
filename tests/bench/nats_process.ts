/**
 * The peer: a nats-server of its own with JetStream on files in a temporary folder, as Debian ships it.
 */
import { connect } from "@nats-io/transport-node";
import {
  AckPolicy,
  type JetStreamManager,
  jetstreamManager,
  StorageType,
} from "@nats-io/jetstream";
import { Child } from "./child.ts";
import { freePort } from "./free_port.ts";
import { STREAM } from "./load/nats_consume.ts";

/** Debian keeps it where root's path has it. */
const PROGRAMS = ["nats-server", "/usr/sbin/nats-server"];
const READY_LIMIT_MS = 10_000;

/** Name and version of the installed server; null where there is none. */
export async function natsVersion(): Promise<{ program: string; version: string } | null> {
  for (const program of PROGRAMS) {
    try {
      const { stdout } = await new Deno.Command(program, { args: ["--version"] }).output();
      const version = new TextDecoder().decode(stdout).trim();
      return { program, version };
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return null;
}

export class NatsProcess {
  readonly port: number;
  readonly child: Child;
  readonly #folder: string;

  private constructor(port: number, child: Child, folder: string) {
    this.port = port;
    this.child = child;
    this.#folder = folder;
  }

  /** Starts the server and makes the benchmark's stream: subjects `bench.>`, storage in files, everything else default. */
  static async start(program: string): Promise<NatsProcess> {
    const folder = await Deno.makeTempDir({ prefix: "claudemesh-bench-nats-" });
    const port = freePort();
    const child = new Child({
      program,
      args: ["--jetstream", "--store_dir", folder, "--addr", "127.0.0.1", "--port", String(port)],
      stderr: "null",
    });
    child.drain();
    const nats = new NatsProcess(port, child, folder);
    await nats.#manage(async (manager) => {
      await manager.streams.add({
        name: STREAM,
        subjects: [`${STREAM}.>`],
        storage: StorageType.File,
      });
    });
    return nats;
  }

  /** Makes durable consumers of one subject that acknowledge each message. */
  async addConsumers(subject: string, durables: readonly string[]): Promise<void> {
    await this.#manage(async (manager) => {
      for (const durable_name of durables) {
        await manager.consumers.add(STREAM, {
          durable_name,
          filter_subject: subject,
          ack_policy: AckPolicy.Explicit,
          max_ack_pending: 20_000,
        });
      }
    });
  }

  /** Messages that consumers have not acknowledged, added up. */
  async unacknowledged(): Promise<number> {
    let open = 0;
    await this.#manage(async (manager) => {
      for await (const info of manager.consumers.list(STREAM)) {
        open += info.num_ack_pending + info.num_pending;
      }
    });
    return open;
  }

  async stop(): Promise<void> {
    await this.child.stop();
    await Deno.remove(this.#folder, { recursive: true });
  }

  async #manage(use: (manager: JetStreamManager) => Promise<void>): Promise<void> {
    const connection = await connect({
      servers: `127.0.0.1:${this.port}`,
      waitOnFirstConnect: true,
      reconnectTimeWait: 50,
      maxReconnectAttempts: READY_LIMIT_MS / 50,
    });
    try {
      await use(await jetstreamManager(connection));
    } finally {
      await connection.close();
    }
  }
}
