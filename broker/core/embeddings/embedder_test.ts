/** Which embedding a collection gets, against an endpoint on this machine. */
import assert from "node:assert/strict";
import { MeshError } from "../../api/errors.ts";
import { Embedder } from "./embedder.ts";
import { EmbeddingsEndpoint } from "./embeddings_endpoint.ts";

/** Runs `run` with an embedder whose model gives every text the direction of its length. */
async function withModel(run: (embedder: Embedder) => Promise<void>): Promise<void> {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    const { input: [text] } = await request.json() as { input: [string] };
    return Response.json({ data: [{ embedding: [text.length, 1] }] });
  });
  const url = `http://127.0.0.1:${server.addr.port}`;
  const endpoint = new EmbeddingsEndpoint({ url, model: "small-1", apiKey: null });
  const embedder = new Embedder(endpoint);
  try {
    await run(embedder);
  } finally {
    embedder.close();
    await server.shutdown();
  }
}

async function refusal(promise: Promise<unknown>): Promise<[string, string | undefined, string]> {
  const error = await promise.then(() => assert.fail("nothing was thrown"), (error) => error);
  assert.ok(error instanceof MeshError, String(error));
  return [error.code, error.data.field, error.message];
}

function text(words: string) {
  return { text: words, embedding: undefined };
}

function collection(embedding: string, dimensions = 2) {
  return { name: "notes", embedding, dimensions };
}

Deno.test("new collections are of the model where there is one, else of the built-in embedding", async () => {
  const builtIn = new Embedder(null);
  assert.equal(builtIn.embedding, "lexical-v1");
  const { embedding, vector } = await builtIn.embed(text("some words"), null);
  assert.deepEqual([embedding, vector.length], ["lexical-v1", 1_536]);
  await withModel(async (embedder) => {
    assert.equal(embedder.embedding, "model:small-1");
    const embedded = await embedder.embed(text("five!"), null);
    assert.deepEqual([embedded.embedding, ...embedded.vector], ["model:small-1", 5, 1]);
  });
});

Deno.test("a collection of the built-in embedding stays one when a model comes", async () => {
  await withModel(async (embedder) => {
    const { embedding, vector } = await embedder.embed(
      text("words"),
      collection("lexical-v1", 1_536),
    );
    assert.deepEqual([embedding, vector.length], ["lexical-v1", 1_536]);
  });
});

Deno.test("a collection of a model that the broker does not have is refused, never mixed", async () => {
  for (const kind of ["model:large-2", "model:"]) {
    await withModel(async (embedder) => {
      const [code, field, message] = await refusal(embedder.embed(text("x"), collection(kind)));
      assert.deepEqual([code, field], ["invalid_argument", "collection"]);
      assert.match(
        message,
        new RegExp(`"notes" was made with ${kind}, which this broker does not`),
      );
    });
  }
  const [code] = await refusal(new Embedder(null).embed(text("x"), collection("model:small-1")));
  assert.equal(code, "invalid_argument");
});

Deno.test("blank texts have no direction", async () => {
  assert.deepEqual(
    (await refusal(new Embedder(null).embed(text(" - "), null))).slice(0, 2),
    ["invalid_argument", "text"],
  );
  await withModel(async (embedder) => {
    assert.equal((await refusal(embedder.embed(text(" \n"), null)))[1], "text");
  });
});
