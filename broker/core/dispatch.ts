/**
 * From a request frame to its operation and back: parses, authorises, limits, runs and answers. What operations there
 * are comes from the catalog; this module knows none by name but those that need not be waited for.
 */
import * as z from "zod";
import type { features } from "../api/catalog.ts";
import { type ErrorCode, MeshError } from "../api/errors.ts";
import type { Role } from "../api/fields.ts";
import { COMMON_FAILS, type Grant, type Handlers, type Op } from "../api/op.ts";
import type { BrokerContext, Call } from "./context.ts";
import type { Connection } from "./model.ts";
import { isStorable } from "./storable.ts";
import { storeError } from "./store_error.ts";

/** The handlers of every feature in the catalog. */
export type HandlerTable = {
  readonly [Feature in keyof typeof features]: Handlers<(typeof features)[Feature], Call>;
};

type Frame = Readonly<Record<string, unknown>>;
type Handler = (call: Call, input: unknown) => Promise<object>;

interface Entry {
  readonly op: Op;
  readonly handler: Handler;
  readonly codes: ReadonlySet<ErrorCode>;
  /** Made on first use. */
  parse: ((input: unknown) => z.ZodSafeParseResult<unknown>) | null;
}

/** Their order is kept by what they do before their first wait, so the next frame may start meanwhile. */
const OVERLAPPING: ReadonlySet<string> = new Set(["send", "client_ack", "client_seen"]);

const RANK: Readonly<Record<Role, number>> = { member: 0, admin: 1, owner: 2 };
const NEEDED: Readonly<Record<Grant, number>> = { member: 0, admin: 1, owner: 2 };

export class Dispatch {
  readonly #broker: BrokerContext;
  readonly #entries = new Map<string, Entry>();

  constructor(broker: BrokerContext, catalog: typeof features, handlers: HandlerTable) {
    this.#broker = broker;
    for (const [feature, ops] of Object.entries(catalog)) {
      const own = handlers[feature as keyof HandlerTable] as Readonly<Record<string, Handler>>;
      for (const [name, op] of Object.entries(ops) as [string, Op][]) {
        const handler = own[name];
        if (handler === undefined) throw new Error(`${feature}.${name} has no handler`);
        const codes = new Set<ErrorCode>([...COMMON_FAILS, ...op.fails]);
        this.#entries.set(op.wire, { op, handler, codes, parse: null });
      }
    }
  }

  /**
   * Runs one frame of an authenticated connection and answers it.
   * @param hasEscapes whether the frame's text named characters by number, the only way in which it
   * may hold what cannot be stored.
   * @returns a promise that the next frame has to wait for, or null when it need not.
   */
  handle(connection: Connection, frame: Frame, hasEscapes = true): Promise<void> | null {
    const entry = this.#entries.get(String(frame.type));
    if (entry === undefined) {
      this.#broker.metrics.operations.inc({ type: "unknown" });
      this.#refuse(connection, frame, null, unknownType(frame.type));
      return null;
    }
    this.#broker.metrics.operations.inc({ type: entry.op.wire });
    let running: Promise<object>;
    try {
      const input = this.#admitted(connection, frame, entry);
      if (hasEscapes && !isStorable(input)) throw unstorable();
      if (entry.op.rate === "request") this.#broker.activity.count(connection.member, "toolCalls");
      const requestId = typeof frame._reqId === "string" ? frame._reqId : null;
      running = entry.handler({ broker: this.#broker, connection, requestId }, input);
    } catch (error) {
      this.#refuse(connection, frame, entry, error);
      return null;
    }
    const answered = running.then(
      (output) => answer(connection, frame, entry.op, output),
      (error) => this.#refuse(connection, frame, entry, error),
    );
    // A statement on the mesh's own database may take long. Who wants two in order waits for the first one's answer.
    const overlaps = OVERLAPPING.has(entry.op.wire) || entry.op.patienceMs !== undefined;
    return overlaps ? null : answered;
  }

  /** The input of a frame that may run. */
  #admitted(connection: Connection, frame: Frame, entry: Entry): unknown {
    const { op } = entry;
    if (this.#broker.stopping()) {
      throw new MeshError("shutting_down", "the broker is stopping; connect again shortly");
    }
    if (frame._reqId !== undefined && typeof frame._reqId !== "string") {
      throw new MeshError("invalid_argument", "_reqId is not a string", {
        data: { field: "_reqId" },
      });
    }
    if (RANK[connection.member.role] < NEEDED[op.grant]) {
      throw new MeshError(
        "forbidden",
        `${op.wire} is for ${op.grant === "owner" ? "the owner" : "owners and admins"}; ` +
          `you are ${connection.member.role}`,
      );
    }
    this.#limit(connection, op);
    entry.parse ??= parserOf(op);
    const result = entry.parse(frame);
    if (!result.success) throw wrongInput(op, result.error);
    return result.data;
  }

  #limit(connection: Connection, op: Op): void {
    if (op.rate === "free") return;
    const { rates, settings: { limits } } = this.#broker;
    if (op.rate === "send") {
      const rate = { perMinute: limits.sendsPerMinute, burst: limits.sendBurst };
      rates.require(`send ${connection.member.id}`, rate, "sends");
    } else {
      const rate = { perMinute: limits.requestsPerMinute, burst: limits.requestBurst };
      rates.require(`request ${connection.member.id}`, rate, "requests");
    }
  }

  #refuse(connection: Connection, frame: Frame, entry: Entry | null, cause: unknown): void {
    const error = this.#declared(storeError(cause), entry, cause);
    this.#broker.metrics.operationErrors.inc({ code: error.code });
    this.#broker.activity.count(connection.member, "errors");
    if (entry?.op.rate === "send") {
      this.#broker.metrics.messagesRejected.inc({ reason: error.code });
    }
    connection.answer(errorFrame(error, frame));
  }

  /** The error itself if the operation declares its code, else `internal` with a reference that the log has too. */
  #declared(error: MeshError, entry: Entry | null, cause: unknown): MeshError {
    if (error.code !== "internal" && (entry === null || entry.codes.has(error.code))) return error;
    const reference = this.#broker.random.id().slice(0, 12);
    this.#broker.log.error("operation failed", {
      reference,
      type: entry?.op.wire ?? null,
      code: error.code,
      cause: causeText(cause),
    });
    return new MeshError("internal", `a bug in the broker; its log has it as ${reference}`, {
      data: { reference },
    });
  }
}

/** An error as a frame that answers `request`. */
export function errorFrame(error: MeshError, request: Frame): string {
  const { id, _reqId } = request;
  return JSON.stringify({
    type: "error",
    code: error.code,
    message: error.message,
    ...error.data,
    ...(typeof id === "string" ? { id } : {}),
    ...(isScalar(_reqId) ? { _reqId } : {}),
  });
}

function answer(connection: Connection, frame: Frame, op: Op, output: object): void {
  const { _reqId } = frame;
  if (op.quiet === true && _reqId === undefined) return;
  const head = { type: op.reply, ...(_reqId === undefined ? {} : { _reqId }) };
  connection.answer(JSON.stringify({ ...head, ...output }));
}

function parserOf(op: Op): (input: unknown) => z.ZodSafeParseResult<unknown> {
  const compiled = z.compile(op.input);
  return (input) => compiled.safeParse(input);
}

function wrongInput(op: Op, error: z.ZodError): MeshError {
  const [issue] = error.issues;
  const field = issue?.path.join(".") ?? "";
  return new MeshError("invalid_argument", `${op.wire} ${field}: ${issue?.message ?? "wrong"}`, {
    data: { field },
  });
}

function unstorable(): MeshError {
  return new MeshError("invalid_argument", "the frame has NUL or broken characters");
}

function unknownType(type: unknown): MeshError {
  const shown = typeof type === "string" ? `"${type.slice(0, 64)}"` : `a ${typeof type}`;
  return new MeshError("unknown_type", `${shown} is no operation of this broker`);
}

function isScalar(value: unknown): boolean {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean";
}

/** What the log gets of a failure: its own text, never the frame's. */
function causeText(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  const inner = cause.cause instanceof Error ? `; ${cause.cause.stack ?? cause.cause.message}` : "";
  return `${cause.stack ?? cause.message}${inner}`;
}
