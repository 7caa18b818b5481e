/** The embeddings endpoint against real HTTP servers that behave well and badly. */
import assert from "node:assert/strict";
import { MeshError } from "../../api/errors.ts";
import { EmbeddingsEndpoint } from "./embeddings_endpoint.ts";

interface Asked {
  readonly url: string;
  readonly authorization: string | null;
  readonly body: unknown;
}

/** Runs `run` with an endpoint at a server that answers as `answer` says. */
async function withEndpoint(
  answer: (request: Request) => Response | Promise<Response>,
  run: (endpoint: EmbeddingsEndpoint, asked: Asked[]) => Promise<void>,
  settings: { path?: string; apiKey?: string } = {},
): Promise<void> {
  const asked: Asked[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    const { pathname } = new URL(request.url);
    const authorization = request.headers.get("authorization");
    asked.push({ url: pathname, authorization, body: await request.clone().json() });
    return await answer(request);
  });
  const { path = "/v1", apiKey = null } = settings;
  const url = `http://127.0.0.1:${server.addr.port}${path}`;
  const endpoint = new EmbeddingsEndpoint({ url, model: "small-1", apiKey });
  try {
    await run(endpoint, asked);
  } finally {
    endpoint.close();
    await server.shutdown();
  }
}

async function refusalOf(promise: Promise<unknown>): Promise<MeshError> {
  try {
    await promise;
  } catch (error) {
    assert.ok(error instanceof MeshError, String(error));
    return error;
  }
  return assert.fail("nothing was thrown");
}

function embedded(...embedding: unknown[]): Response {
  return Response.json({ data: [{ object: "embedding", index: 0, embedding }], model: "small-1" });
}

Deno.test("a text is asked for as OpenAI's interface has it, with the key", async () => {
  const answer = () => embedded(0.5, -1, 2);
  await withEndpoint(answer, async (endpoint, asked) => {
    assert.equal(endpoint.embedding, "model:small-1");
    assert.deepEqual([...await endpoint.embed("grüße")], [0.5, -1, 2]);
    assert.deepEqual(asked, [{
      url: "/v1/embeddings",
      authorization: "Bearer key-1",
      body: { model: "small-1", input: ["grüße"], encoding_format: "float" },
    }]);
  }, { apiKey: "key-1" });
});

Deno.test("an address that ends with /embeddings is taken as it is, and no key sends none", async () => {
  await withEndpoint(() => embedded(1), async (endpoint, asked) => {
    await endpoint.embed("x");
    assert.deepEqual([asked[0]?.url, asked[0]?.authorization], ["/x/embeddings", null]);
  }, { path: "/x/embeddings" });
});

const SECRET = "sk-secret and the text itself";
const REFUSALS: readonly (readonly [status: number, code: string, message: RegExp])[] = [
  [400, "invalid_argument", /refuses this text \(HTTP 400\); it may be too long/],
  [413, "invalid_argument", /refuses this text/],
  [401, "unavailable", /correct EMBEDDINGS_API_KEY/],
  [403, "unavailable", /correct EMBEDDINGS_API_KEY/],
  [404, "unavailable", /correct EMBEDDINGS_URL or EMBEDDINGS_MODEL/],
  [429, "unavailable", /HTTP 429/],
  [500, "unavailable", /HTTP 500/],
];

for (const [status, code, message] of REFUSALS) {
  Deno.test(`HTTP ${status} of the endpoint is ${code}, and its words stay out of it`, async () => {
    await withEndpoint(() => new Response(SECRET, { status }), async (endpoint) => {
      const error = await refusalOf(endpoint.embed("the text itself"));
      assert.equal(error.code, code);
      assert.match(error.message, message);
      assert.ok(!error.message.includes("secret"));
      if (code === "unavailable") assert.ok(Number(error.data.retry_after_ms) > 0);
    });
  });
}

const WRONG: readonly (readonly [what: string, answer: () => Response, message: RegExp])[] = [
  ["no JSON", () => new Response("<html>"), /no JSON/],
  ["no data", () => Response.json({}), /no embedding/],
  ["null", () => Response.json(null), /no embedding/],
  ["no numbers", () => embedded(1, "2"), /no embedding/],
  ["nothing", () => embedded(), /no embedding/],
  ["all zeros", () => embedded(0, 0), /no embedding/],
  ["too many numbers", () => embedded(...Array(4_097).fill(1)), /1 to 4096 numbers/],
  ["numbers beyond 32-bit floats", () => embedded(1e300), /no embedding/],
  ["too many bytes", () => new Response(" ".repeat(1_048_577)), /more than 1048576 bytes/],
  [
    "a redirect",
    () => new Response(null, { status: 307, headers: { location: "http://127.0.0.1:9/" } }),
    /cannot be reached/,
  ],
];

for (const [what, answer, message] of WRONG) {
  Deno.test(`an endpoint that answers with ${what} is unavailable`, async () => {
    await withEndpoint(answer, async (endpoint) => {
      const error = await refusalOf(endpoint.embed("x"));
      assert.equal(error.code, "unavailable");
      assert.match(error.message, message);
    });
  });
}

Deno.test("an endpoint that is not there is unavailable", async () => {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, () => embedded(1));
  const url = `http://127.0.0.1:${server.addr.port}`;
  await server.shutdown();
  const endpoint = new EmbeddingsEndpoint({ url, model: "m", apiKey: null });
  assert.equal((await refusalOf(endpoint.embed("x"))).code, "unavailable");
});

Deno.test("at most eight texts are asked for at once, and all get their answer", async () => {
  const gate = Promise.withResolvers<void>();
  const eight = Promise.withResolvers<void>();
  let [running, most] = [0, 0];
  async function answer(): Promise<Response> {
    running++;
    most = Math.max(most, running);
    if (running === 8) eight.resolve();
    await gate.promise;
    running--;
    return embedded(1);
  }
  await withEndpoint(answer, async (endpoint, asked) => {
    const texts = Array.from({ length: 20 }, (_, index) => endpoint.embed(`text ${index}`));
    await eight.promise;
    gate.resolve();
    assert.equal((await Promise.all(texts)).length, 20);
    assert.equal(asked.length, 20);
    assert.equal(most, 8);
  });
});

Deno.test("closing ends what is under way", async () => {
  const asked = Promise.withResolvers<void>();
  const never = Promise.withResolvers<Response>();
  await withEndpoint(() => {
    asked.resolve();
    return never.promise;
  }, async (endpoint) => {
    const embedding = refusalOf(endpoint.embed("x"));
    await asked.promise;
    endpoint.close();
    assert.equal((await embedding).code, "unavailable");
    never.resolve(embedded(1));
  });
});
