/** The settings of similarity search, as an operator writes them. */
import assert from "node:assert/strict";
import { ConfigError, loadSettings } from "./config.ts";

function load(env: Record<string, string>) {
  return loadSettings({ flags: {}, env: { HOME: "/nowhere", ...env } });
}

async function problems(env: Record<string, string>): Promise<string> {
  const error = await load(env).then(() => null, (error) => error);
  assert.ok(error instanceof ConfigError, String(error));
  return error.message;
}

Deno.test("without settings vectors are in the meshes' databases and texts embedded by the program", async () => {
  const { qdrant, embeddings } = await load({});
  assert.deepEqual([qdrant, embeddings], [null, null]);
});

Deno.test("a Qdrant server and a model are taken with and without keys", async () => {
  const urls = { QDRANT_URL: "http://qdrant:6333/", EMBEDDINGS_URL: "https://api.example.org/v1" };
  const bare = await load({ ...urls, EMBEDDINGS_MODEL: "small-1" });
  assert.deepEqual(bare.qdrant, { url: "http://qdrant:6333", apiKey: null });
  assert.deepEqual(bare.embeddings, {
    url: "https://api.example.org/v1",
    model: "small-1",
    apiKey: null,
  });
  const keys = { QDRANT_API_KEY: "q-key", EMBEDDINGS_API_KEY: "e-key" };
  const keyed = await load({ ...urls, ...keys, EMBEDDINGS_MODEL: "small-1" });
  assert.deepEqual([keyed.qdrant?.apiKey, keyed.embeddings?.apiKey], ["q-key", "e-key"]);
});

Deno.test("wrong values are named and not shown", async () => {
  assert.match(
    await problems({ EMBEDDINGS_URL: "http://127.0.0.1:1" }),
    /EMBEDDINGS_URL is set and EMBEDDINGS_MODEL is not/,
  );
  for (
    const [name, value] of [
      ["QDRANT_URL", "qdrant:6333"],
      ["EMBEDDINGS_URL", "https://user:hunter2@example.org"],
      ["EMBEDDINGS_MODEL", "two words"],
      ["EMBEDDINGS_API_KEY", "has spaces in it"],
    ] as const
  ) {
    const message = await problems({ [name]: value });
    assert.ok(message.includes(`${name} must be`) && !message.includes(value), message);
  }
});
