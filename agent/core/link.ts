/**
 * One authenticated WebSocket to a broker that comes back by itself: hello, heartbeat, backoff with full jitter, and
 * requests that are answered strictly by their `_reqId` (reference protocol 1; time-outs 12.1).
 */
import { type HelloAck, helloAck } from "../../broker/api/hello.ts";
import { LIMITS } from "../../broker/api/limits.ts";
import type { AgentClock } from "./agent_clock.ts";
import { type ClientSocket, OPEN, openSocket, socketText } from "./client_socket.ts";
import { errorOf, type Frame, isFrame, parseFrame } from "./frame.ts";
import { closed, helloRefused, type LinkFailure, unreachable } from "./link_refusal.ts";
import { LocalError } from "./local_error.ts";
import { PendingRequests } from "./pending_requests.ts";

export type LinkStatus =
  | { readonly kind: "idle" }
  | { readonly kind: "connecting" }
  | { readonly kind: "up"; readonly ack: HelloAck }
  /** Between two attempts. */
  | { readonly kind: "waiting"; readonly failure: LinkFailure }
  /** Ended by `stop`, or by a final failure. */
  | { readonly kind: "stopped"; readonly failure: LinkFailure | null };

export interface LinkOptions {
  /** WebSocket address, `ws://host:port/ws`. */
  readonly url: string;
  readonly clock: AgentClock;
  /** Makes a freshly signed hello, without `_reqId`; what it throws stops the link. */
  hello(): Readonly<Record<string, unknown>>;
  /** Called with every frame that is no answer. */
  onFrame(frame: Frame): void;
  /** Called after every change of `status`. */
  onStatus(status: LinkStatus): void;
}

const HELLO_TIMEOUT_MS = LIMITS.helloDeadlineMs.value;
const HELLO_REQUEST = "hello";
const FIRST_CAP_MS = 1_000;
const LAST_CAP_MS = 30_000;
// A connection that held so long was a good one: the next attempt starts from the first cap again.
const GOOD_AFTER_MS = 5_000;
const CLOSE_TIMEOUT_MS = 1_000;
const MAX_EARLY = 1_024;
const MAX_FRAME_BYTES = 16 * 1024 * 1024;

interface Attempt {
  readonly socket: ClientSocket;
  brokerDate: string | null;
  opened: boolean;
  refusal: LinkFailure | null;
  lastError: string;
  heardAtMs: number;
  upAtMs: number;
  /** What came before the `hello_ack`. */
  readonly early: Frame[];
}

export class Link {
  readonly #options: LinkOptions;
  readonly #pending: PendingRequests;
  #status: LinkStatus = { kind: "idle" };
  #attempt: Attempt | null = null;
  #failures = 0;
  #attemptAtMs = 0;
  #cancelTimer: () => void = () => {};
  #watchers = new Set<() => void>();
  #ended: Promise<void> = Promise.resolve();

  constructor(options: LinkOptions) {
    this.#options = options;
    this.#pending = new PendingRequests(options.clock);
  }

  get status(): LinkStatus {
    return this.#status;
  }

  get isUp(): boolean {
    return this.#status.kind === "up";
  }

  /** Begins to connect; does nothing when it has begun. */
  start(): void {
    if (this.#status.kind === "idle") this.#connect();
  }

  /** Connects now instead of at the end of the waiting time, also after a final failure. */
  retry(): void {
    const { kind } = this.#status;
    if (kind === "waiting" || kind === "stopped") {
      this.#cancelTimer();
      this.#failures = 0;
      this.#connect();
    }
  }

  /** Closes for good; resolves when the socket is gone. Requests under way are rejected with `offline`. */
  async stop(): Promise<void> {
    this.#cancelTimer();
    const attempt = this.#attempt;
    if (this.#status.kind !== "stopped") this.#change({ kind: "stopped", failure: null });
    this.#pending.rejectAll("the connection was closed");
    if (attempt !== null) {
      attempt.socket.close(1000);
      const giveUp = this.#options.clock.after(CLOSE_TIMEOUT_MS, () => attempt.socket.terminate());
      await this.#ended;
      giveUp();
    }
    await this.#ended;
  }

  /**
   * Resolves when the link is up. Rejects with LocalError `offline` or `timeout` when the attempt under way fails or
   * `timeoutMs` passes. A link that waits for its next attempt makes it now, at most once a second.
   */
  async ready(timeoutMs: number): Promise<void> {
    const { clock } = this.#options;
    if (this.#status.kind === "up") return;
    if (this.#status.kind === "idle") throw offline("the connection has not been started");
    if (this.#status.kind === "waiting" && clock.now() - this.#attemptAtMs >= 1_000) {
      this.#cancelTimer();
      this.#connect();
    }
    const failed = this.#failed();
    if (failed !== null) throw failed;
    await new Promise<void>((resolve, reject) => {
      const cancel = clock.after(timeoutMs, () => {
        this.#watchers.delete(watch);
        reject(new LocalError("timeout", `the broker did not answer within ${timeoutMs} ms`));
      });
      const watch = () => {
        const problem = this.#failed();
        if (this.#status.kind === "connecting" && problem === null) return;
        this.#watchers.delete(watch);
        cancel();
        problem === null ? resolve() : reject(problem);
      };
      this.#watchers.add(watch);
    });
  }

  /**
   * Sends a request and resolves with the frame that answers it. Rejects with the broker's MeshError, or LocalError
   * `offline` (not connected, or lost meanwhile) or `timeout`.
   */
  request(
    wire: string,
    input: Readonly<Record<string, unknown>>,
    timeoutMs: number,
  ): Promise<Frame> {
    const attempt = this.#attempt;
    if (this.#status.kind !== "up" || attempt === null) {
      return Promise.reject(this.#failed() ?? offline("not connected"));
    }
    const { reqId, answer } = this.#pending.add(wire, timeoutMs);
    attempt.socket.send(JSON.stringify({ ...input, type: wire, _reqId: reqId }));
    return answer;
  }

  /** Sends a frame that nobody waits for; false when the link is not up. */
  post(wire: string, input: Readonly<Record<string, unknown>>): boolean {
    const attempt = this.#attempt;
    if (this.#status.kind !== "up" || attempt === null) return false;
    attempt.socket.send(JSON.stringify({ ...input, type: wire }));
    return true;
  }

  #connect(): void {
    const { clock } = this.#options;
    this.#attemptAtMs = clock.now();
    this.#change({ kind: "connecting" });
    this.#ended = this.#run();
  }

  async #run(): Promise<void> {
    let socket: ClientSocket;
    try {
      socket = await openSocket(this.#options.url, {
        handshakeTimeout: HELLO_TIMEOUT_MS,
        perMessageDeflate: false,
        maxPayload: MAX_FRAME_BYTES,
      });
    } catch {
      // Only an address that is none makes the constructor throw; no later attempt would fare better.
      const reason = `"${this.#options.url}" is no address of a broker`;
      const hint = "correct brokerUrl in config.json";
      const failure = { code: "unreachable", reason, hint, final: true, retryAfterMs: 0 };
      this.#change({ kind: "stopped", failure });
      return;
    }
    const attempt: Attempt = {
      socket,
      brokerDate: null,
      opened: false,
      refusal: null,
      lastError: "no answer",
      heardAtMs: this.#options.clock.now(),
      upAtMs: 0,
      early: [],
    };
    this.#attempt = attempt;
    const ended = this.#listen(attempt);
    // Stopped while the library was loading.
    if (this.#status.kind === "stopped") socket.close(1000);
    await ended;
  }

  /** Resolves when the socket is closed. */
  #listen(attempt: Attempt): Promise<void> {
    const { socket } = attempt;
    const { clock } = this.#options;
    const heard = () => {
      attempt.heardAtMs = clock.now();
    };
    socket.on("upgrade", (response) => {
      attempt.brokerDate = response.headers.date ?? null;
    });
    socket.on("open", () => this.#sayHello(attempt));
    socket.on("message", (data, isBinary) => {
      heard();
      if (!isBinary) this.#receive(attempt, socketText(data));
    });
    socket.on("ping", heard);
    socket.on("pong", heard);
    socket.on("error", (error) => {
      attempt.lastError = errorText(error);
    });
    return new Promise((resolve) => {
      socket.on("close", (code, reason) => {
        this.#closed(attempt, code, reason.toString());
        resolve();
      });
    });
  }

  #sayHello(attempt: Attempt): void {
    attempt.opened = true;
    let hello: Readonly<Record<string, unknown>>;
    try {
      hello = this.#options.hello();
    } catch (error) {
      const reason = error instanceof Error ? error.message : "the hello could not be signed";
      const hint = error instanceof LocalError ? error.hint : null;
      this.#fail(attempt, { code: "hello", reason, hint, final: true, retryAfterMs: 0 });
      return;
    }
    attempt.socket.send(JSON.stringify({ ...hello, _reqId: HELLO_REQUEST }));
    this.#cancelTimer = this.#options.clock.after(HELLO_TIMEOUT_MS, () => {
      this.#fail(attempt, unreachable(this.#host(), "it did not answer the hello"));
    });
  }

  #receive(attempt: Attempt, text: string): void {
    const frame = parseFrame(text);
    if (frame === null) return;
    if (this.#status.kind === "up") this.#take(frame);
    else if (this.#status.kind === "connecting") this.#greeted(attempt, frame);
  }

  #take(frame: Frame): void {
    if (frame.type === "answer_batch" && Array.isArray(frame.answers)) {
      for (const answer of frame.answers) if (isFrame(answer)) this.#pending.settle(answer);
    } else if (!this.#pending.settle(frame)) this.#options.onFrame(frame);
  }

  #greeted(attempt: Attempt, frame: Frame): void {
    const { clock } = this.#options;
    if (attempt.refusal !== null) return;
    if (frame.type === "error") {
      const refusal = helloRefused(errorOf(frame), clock.now(), attempt.brokerDate);
      this.#fail(attempt, refusal);
      return;
    }
    if (frame.type !== "hello_ack") {
      // Pushes may overtake the answer to the hello.
      if (attempt.early.length < MAX_EARLY) attempt.early.push(frame);
      return;
    }
    const ack = helloAck.safeParse(frame);
    if (!ack.success) {
      this.#fail(attempt, unreachable(this.#host(), "it answers the hello in an unknown way"));
      return;
    }
    this.#cancelTimer();
    attempt.upAtMs = clock.now();
    this.#beat(attempt);
    this.#change({ kind: "up", ack: ack.data });
    for (const early of attempt.early.splice(0)) this.#options.onFrame(early);
  }

  /** Pings every 30 s and cuts a connection that has been silent for 75 s. */
  #beat(attempt: Attempt): void {
    const { clock } = this.#options;
    const silentMs = clock.now() - attempt.heardAtMs;
    const leftMs = LIMITS.deadAfterMs.value - silentMs;
    if (leftMs <= 0) {
      attempt.socket.terminate();
      return;
    }
    const waitMs = Math.min(LIMITS.pingIntervalMs.value, leftMs);
    this.#cancelTimer = clock.after(waitMs, () => {
      if (attempt.socket.readyState === OPEN) attempt.socket.ping();
      this.#beat(attempt);
    });
  }

  #fail(attempt: Attempt, failure: LinkFailure): void {
    attempt.refusal = failure;
    this.#cancelTimer();
    attempt.socket.close(1000);
    this.#cancelTimer = this.#options.clock.after(
      CLOSE_TIMEOUT_MS,
      () => attempt.socket.terminate(),
    );
  }

  #closed(attempt: Attempt, code: number, reason: string): void {
    this.#attempt = null;
    if (this.#status.kind === "stopped") return;
    this.#cancelTimer();
    const failure = attempt.refusal ??
      (attempt.opened ? closed(code, reason) : unreachable(this.#host(), attempt.lastError));
    const { clock } = this.#options;
    const wasGood = attempt.upAtMs > 0 && clock.now() - attempt.upAtMs >= GOOD_AFTER_MS;
    this.#failures = wasGood ? 0 : this.#failures + 1;
    if (failure.final) {
      this.#change({ kind: "stopped", failure });
    } else {
      const capMs = Math.min(FIRST_CAP_MS * 2 ** Math.max(0, this.#failures - 1), LAST_CAP_MS);
      const delayMs = Math.max(clock.random() * capMs, failure.retryAfterMs);
      this.#cancelTimer = clock.after(delayMs, () => this.#connect());
      this.#change({ kind: "waiting", failure });
    }
    this.#pending.rejectAll(failure.reason);
  }

  #change(status: LinkStatus): void {
    this.#status = status;
    this.#options.onStatus(status);
    for (const watch of [...this.#watchers]) watch();
  }

  #failed(): LocalError | null {
    const status = this.#status;
    if (status.kind !== "waiting" && status.kind !== "stopped") return null;
    const { failure } = status;
    if (failure === null) return offline("the connection was closed");
    const clock = failure.code === "timestamp_skew";
    const code = clock ? "bad_clock" : failure.final ? "refused" : "offline";
    return new LocalError(
      code,
      failure.reason,
      failure.hint === null ? {} : { hint: failure.hint },
    );
  }

  #host(): string {
    return new URL(this.#options.url).host;
  }
}

function offline(reason: string): LocalError {
  return new LocalError("offline", reason, {
    hint: "do it again when the broker is back; sending a message does not have to wait",
  });
}

function errorText(error: Error): string {
  const { code } = error as { code?: unknown };
  if (typeof code === "string" && error.message === "") return code;
  return error.message || "no connection";
}
