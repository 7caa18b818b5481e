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
import { freePort } from "../../agent/verbs/demo/free_port.ts";
import { messageName } from "./load/arrivals.ts";
import { namedPayload, STREAM } from "./load/nats_consume.ts";
import { QUEUE_RUN } from "./load/queue.ts";

/** Debian keeps it where root's path has it. */
const PROGRAMS = ["nats-server", "/usr/sbin/nats-server"];
const READY_LIMIT_MS = 10_000;
const PUBLISHED_AT_ONCE = 100;

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
    const port = await freePort();
    const child = new Child({
      command: [
        program,
        "--jetstream",
        "--store_dir",
        folder,
        "--addr",
        "127.0.0.1",
        "--port",
        String(port),
      ],
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

  /** Puts a run of messages into the stream, for a consumer that is away. */
  async publish(subject: string, messages: number): Promise<void> {
    await this.#manage(async (manager) => {
      const stream = manager.jetstream();
      for (let index = 0; index < messages; index += PUBLISHED_AT_ONCE) {
        const count = Math.min(PUBLISHED_AT_ONCE, messages - index);
        await Promise.all(Array.from({ length: count }, (_, offset) => {
          const last = index + offset === messages - 1;
          const name = messageName(QUEUE_RUN, index + offset, last);
          return stream.publish(subject, namedPayload(name));
        }));
      }
    });
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
