/** Addresses of brokers, as people and invites write them. */
import assert from "node:assert/strict";
import { brokerBaseUrl, brokerSocketUrl } from "./broker_url.ts";
import { LocalError } from "./local_error.ts";

Deno.test("every way to write a broker's address gives its HTTP base", () => {
  for (
    const [written, base] of [
      ["http://127.0.0.1:8787", "http://127.0.0.1:8787"],
      ["https://mesh.example/", "https://mesh.example"],
      ["wss://mesh.example/ws", "https://mesh.example"],
      ["ws://localhost:1/ws/", "http://localhost:1"],
      ["https://example.org/mesh/ws", "https://example.org/mesh"],
    ] as const
  ) assert.equal(brokerBaseUrl(written), base);
});

Deno.test("what is no address of a broker is refused", () => {
  for (const written of ["", "mesh", "ftp://x", "http://user@x", "http://x/?a", "http://x/#a"]) {
    assert.throws(
      () => brokerBaseUrl(written),
      (error) => error instanceof LocalError && error.code === "invalid_argument",
      written,
    );
  }
});

Deno.test("the socket is below the base", () => {
  assert.equal(brokerSocketUrl("https://example.org/mesh"), "wss://example.org/mesh/ws");
});
