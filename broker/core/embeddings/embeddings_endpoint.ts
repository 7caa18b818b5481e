/**
 * An embeddings model behind HTTP, in the form that OpenAI's API made common (`POST .../embeddings`, see
 * https://platform.openai.com/docs/api-reference/embeddings): the operator's own, or a provider's.
 */
import { MeshError } from "../../api/errors.ts";
import { LIMITS } from "../../api/limits.ts";
import type { EmbeddingsSettings } from "../settings.ts";

const TIMEOUT_MS = 20_000;
/** A direction of the most dimensions takes about 100 KB. */
const MAX_ANSWER_BYTES = 1_048_576;
/** Further texts wait: a model behind it works on few at once. */
const MAX_RUNNING = 8;
const RETRY_MS = 2_000;
/** What providers answer to a text that is too long for the model, or otherwise not to its taste. */
const TEXT_REFUSED: ReadonlySet<number> = new Set([400, 413, 422]);

export class EmbeddingsEndpoint {
  /** The model, as the kind of collections that are made with it. */
  readonly embedding: string;
  readonly #url: string;
  readonly #model: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #waiting: (() => void)[] = [];
  readonly #ending = new AbortController();
  #running = 0;

  constructor({ url, model, apiKey }: EmbeddingsSettings) {
    this.embedding = `model:${model}`;
    this.#url = url.endsWith("/embeddings") ? url : `${url}/embeddings`;
    this.#model = model;
    this.#headers = {
      "content-type": "application/json",
      ...(apiKey === null ? {} : { authorization: `Bearer ${apiKey}` }),
    };
  }

  /**
   * Asks for the direction of a text.
   * @throws {MeshError} `invalid_argument` when the model refuses the text, `unavailable` when it cannot be asked; neither
   *   tells what the endpoint said, which may quote the text or the key.
   */
  async embed(text: string): Promise<Float32Array> {
    await this.#turn();
    try {
      return vectorOf(await this.#ask(text));
    } catch (error) {
      if (error instanceof MeshError) throw error;
      throw unavailable("cannot be reached, or did not answer in time", error);
    } finally {
      this.#running--;
      this.#waiting.shift()?.();
    }
  }

  /** Ends what is under way. */
  close(): void {
    this.#ending.abort();
  }

  async #turn(): Promise<void> {
    while (this.#running >= MAX_RUNNING) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    this.#running++;
  }

  async #ask(text: string): Promise<unknown> {
    const response = await fetch(this.#url, {
      method: "POST",
      headers: this.#headers,
      body: JSON.stringify({ model: this.#model, input: [text], encoding_format: "float" }),
      // A redirect would take the key elsewhere.
      redirect: "error",
      signal: AbortSignal.any([AbortSignal.timeout(TIMEOUT_MS), this.#ending.signal]),
    });
    if (!response.ok) {
      await response.body?.cancel();
      throw refusal(response.status);
    }
    const body = await bounded(response);
    try {
      return JSON.parse(body);
    } catch {
      throw unavailable("answers with something that is no JSON");
    }
  }
}

function refusal(status: number): MeshError {
  if (TEXT_REFUSED.has(status)) {
    return new MeshError(
      "invalid_argument",
      `the embeddings model refuses this text (HTTP ${status}); it may be too long for it`,
    );
  }
  if (status === 401 || status === 403) {
    return unavailable(
      `refuses the broker's key (HTTP ${status}); its operator must correct EMBEDDINGS_API_KEY`,
    );
  }
  if (status === 404) {
    return unavailable(
      "is not there, or does not know the model (HTTP 404); the broker's operator must correct " +
        "EMBEDDINGS_URL or EMBEDDINGS_MODEL",
    );
  }
  return unavailable(`answers with HTTP ${status}`);
}

function unavailable(what: string, cause?: unknown): MeshError {
  return new MeshError("unavailable", `the embeddings endpoint ${what}`, {
    data: { retry_after_ms: RETRY_MS },
    ...(cause === undefined ? {} : { cause }),
  });
}

async function bounded(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > MAX_ANSWER_BYTES) {
      throw unavailable(`answers with more than ${MAX_ANSWER_BYTES} bytes`);
    }
    chunks.push(chunk);
  }
  const whole = new Uint8Array(bytes);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return new TextDecoder().decode(whole);
}

/** The numbers of `{ data: [{ embedding: [...] }] }`. */
function vectorOf(answer: unknown): Float32Array {
  const { data } = Object(answer) as { data?: unknown };
  const [first] = Array.isArray(data) ? data : [];
  const { embedding } = Object(first) as { embedding?: unknown };
  const isVector = Array.isArray(embedding) && embedding.length > 0 &&
    embedding.length <= LIMITS.vectorDimensions.value &&
    embedding.every((value) => typeof value === "number" && Number.isFinite(Math.fround(value))) &&
    embedding.some((value) => Math.fround(value) !== 0);
  if (isVector) return Float32Array.from(embedding);
  throw unavailable(
    `answers with no embedding of 1 to ${LIMITS.vectorDimensions.value} numbers, not all 0`,
  );
}
