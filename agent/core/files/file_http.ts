/**
 * The HTTP side of file transfers (`broker/api/file_transfer.ts`): parts of ciphertext up, ciphertext from any byte on
 * down. Addresses come from the broker, so they are looked at before they are asked.
 */
import { UPLOAD_OFFSET_HEADER, uploadProgress } from "../../../broker/api/file_transfer.ts";
import { isErrorCode, MeshError } from "../../../broker/api/errors.ts";
import type { AgentClock } from "../agent_clock.ts";
import { errorOf } from "../frame.ts";
import { LocalError } from "../local_error.ts";

/** An upload stands at another offset than was said; go on there. */
export class OtherOffset extends Error {
  readonly offset: number;

  constructor(offset: number) {
    super(`the upload stands at ${offset}`);
    this.offset = offset;
  }
}

const PART_TIMEOUT_MS = 120_000;
const STALL_MS = 60_000;
const PRIVATE_HOST =
  /^(localhost|.*\.localhost|127\.|0\.|169\.254\.|\[::1\]|\[::\]|\[::ffff:|\[fe[89ab])/i;

/**
 * Where the bytes go: behind the address that this agent reaches the broker by, where the broker names a path; it need
 * not know how others reach it. Else the whole address that it names. @throws {LocalError} `bad_answer`.
 */
export function transferUrl(
  place: { readonly url: string; readonly path?: string | undefined },
  brokerUrl: string,
): URL {
  const { url, path } = place;
  const isPath = path !== undefined && path.startsWith("/");
  return checkedTransferUrl(isPath ? brokerUrl.replace(/\/+$/, "") + path : url, brokerUrl);
}

/**
 * Refuses an address that no broker has a reason to name: another scheme, credentials, or this machine's own services
 * when the broker is elsewhere. @throws {LocalError} `bad_answer`.
 */
export function checkedTransferUrl(url: string, brokerUrl: string): URL {
  const broker = new URL(brokerUrl);
  let parsed: URL;
  try {
    parsed = new URL(url, broker);
  } catch {
    throw badAddress();
  }
  const isHttp = parsed.protocol === "https:" || parsed.protocol === "http:";
  if (!isHttp || parsed.username !== "" || parsed.password !== "") throw badAddress();
  const isOwn = parsed.host === broker.host;
  if (!isOwn && PRIVATE_HOST.test(parsed.hostname) && !PRIVATE_HOST.test(broker.hostname)) {
    throw badAddress();
  }
  return parsed;
}

/**
 * Sends the bytes from `offset` on; returns how many the broker has then.
 * @throws {OtherOffset}, {MeshError} as the broker answers, {LocalError} `offline`, `bad_answer`.
 */
export async function sendPart(
  url: URL,
  offset: number,
  bytes: Uint8Array<ArrayBuffer>,
  signal: AbortSignal,
): Promise<number> {
  const response = await request(url, {
    method: "PATCH",
    headers: {
      [UPLOAD_OFFSET_HEADER]: String(offset),
      "content-type": "application/octet-stream",
    },
    body: bytes,
    signal: AbortSignal.any([signal, AbortSignal.timeout(PART_TIMEOUT_MS)]),
  }, signal);
  const text = await bodyText(response, url, signal);
  if (!response.ok) {
    const offsetNow = Number(response.headers.get(UPLOAD_OFFSET_HEADER) ?? Number.NaN);
    if (response.status === 409 && Number.isSafeInteger(offsetNow)) {
      throw new OtherOffset(offsetNow);
    }
    throw refusal(response, text);
  }
  const progress = uploadProgress.safeParse(parsedJson(text));
  if (progress.success) return progress.data.offset;
  throw new LocalError("bad_answer", `${url.host} does not answer an upload as a broker would`);
}

/** Bytes of a download as they come, by exact counts. */
export class Download {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #abort: AbortController;
  readonly #clock: AgentClock;
  readonly #host: string;
  #held: Uint8Array = new Uint8Array();

  private constructor(
    body: ReadableStream<Uint8Array>,
    abort: AbortController,
    clock: AgentClock,
    host: string,
  ) {
    this.#reader = body.getReader();
    this.#abort = abort;
    this.#clock = clock;
    this.#host = host;
  }

  /**
   * Begins a download at byte `from`.
   * @throws {MeshError} as the broker answers, {LocalError} `offline`, `bad_answer`.
   */
  static async open(
    url: URL,
    from: number,
    clock: AgentClock,
    signal: AbortSignal,
  ): Promise<Download> {
    const abort = new AbortController();
    const cancel = clock.after(STALL_MS, () => abort.abort());
    try {
      const response = await request(url, {
        headers: from === 0 ? {} : { range: `bytes=${from}-` },
        signal: AbortSignal.any([signal, abort.signal]),
      }, signal);
      if (!response.ok) throw refusal(response, await bodyText(response, url, signal));
      const starts = from === 0 ? response.status === 200 : response.status === 206 &&
        response.headers.get("content-range")?.startsWith(`bytes ${from}-`);
      if (!starts || response.body === null) {
        await response.body?.cancel();
        throw new LocalError("bad_answer", `${url.host} does not send what was asked for`);
      }
      return new Download(response.body, abort, clock, url.host);
    } finally {
      cancel();
    }
  }

  /** The next `count` bytes. @throws {LocalError} `offline` when they do not come. */
  async take(count: number): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = new Uint8Array(count);
    let filled = 0;
    while (filled < count) {
      if (this.#held.length === 0) this.#held = await this.#read();
      const part = this.#held.subarray(0, count - filled);
      bytes.set(part, filled);
      filled += part.length;
      this.#held = this.#held.subarray(part.length);
    }
    return bytes;
  }

  /** Ends it, wherever it stands. */
  async close(): Promise<void> {
    // A connection that broke has ended by itself, and says so here once more.
    await this.#reader.cancel().catch(() => {});
    this.#abort.abort();
  }

  async #read(): Promise<Uint8Array> {
    const cancel = this.#clock.after(STALL_MS, () => this.#abort.abort());
    try {
      const { value } = await this.#reader.read();
      if (value !== undefined) return value;
    } catch (error) {
      throw lost(this.#host, error);
    } finally {
      cancel();
    }
    throw lost(this.#host);
  }
}

async function request(url: URL, init: RequestInit, signal: AbortSignal): Promise<Response> {
  try {
    return await fetch(url, { ...init, redirect: "error" });
  } catch (error) {
    signal.throwIfAborted();
    throw lost(url.host, error);
  }
}

async function bodyText(response: Response, url: URL, signal: AbortSignal): Promise<string> {
  try {
    return await response.text();
  } catch (error) {
    signal.throwIfAborted();
    throw lost(url.host, error);
  }
}

function refusal(response: Response, text: string): Error {
  const value = parsedJson(text);
  const fields = typeof value === "object" && value !== null ? value as { error?: unknown } : {};
  if (isErrorCode(fields.error)) return errorOf({ ...fields, type: "error", code: fields.error });
  if (response.status >= 500) {
    return new MeshError("unavailable", `the store of files answers with ${response.status}`);
  }
  return new LocalError("bad_answer", `the store of files answers with ${response.status}`, {
    hint: "the machine's clock may be off, or a proxy stands in between",
  });
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // A page, or a proxy's words: told as an answer that is none.
    return null;
  }
}

function lost(host: string, cause?: unknown): LocalError {
  return new LocalError("offline", `the connection to ${host} was lost`, {
    hint: "try again when the broker can be reached",
    cause,
  });
}

function badAddress(): LocalError {
  return new LocalError("bad_answer", "the broker names an address that is none for files", {
    hint: "check BROKER_PUBLIC_URL of the broker",
  });
}
