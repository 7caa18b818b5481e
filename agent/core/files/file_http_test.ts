/** Tests of which addresses a broker may send its members' agents to. */
import assert from "node:assert/strict";
import { checkedTransferUrl, transferUrl } from "./file_http.ts";

Deno.test("the broker's own address, a store beside it and paths of it are taken", () => {
  const accepted: [string, string][] = [
    ["https://mesh.example.org/files/t", "https://mesh.example.org"],
    ["https://objects.example.org/bucket/x?sign=1", "https://mesh.example.org"],
    ["/uploads/t", "https://mesh.example.org/base"],
    ["http://127.0.0.1:9000/bucket", "http://127.0.0.1:8787"],
    ["http://localhost:8787/files/t", "http://127.0.0.1:8787"],
    ["http://10.0.0.5:9000/bucket", "http://10.0.0.5:8787"],
  ];
  for (const [url, broker] of accepted) {
    assert.equal(checkedTransferUrl(url, broker).href, new URL(url, broker).href);
  }
});

Deno.test("this machine's own services, other schemes and credentials are refused", () => {
  const urls = [
    "http://127.0.0.1:22/",
    "http://localhost/",
    "http://app.localhost/",
    "http://[::1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://0.0.0.0/",
    "http://2130706433/",
    "http://0x7f.1/",
    "http://169.254.169.254/latest/meta-data",
    "http://[fe80::1]/",
    "file:///etc/passwd",
    "ftp://example.org/x",
    "https://user:secret@example.org/",
    "http://",
  ];
  for (const url of urls) {
    assert.throws(() => checkedTransferUrl(url, "https://mesh.example.org"), /address/, url);
  }
});

Deno.test("a path goes behind the address by which the broker is reached", () => {
  const place = { url: "http://127.0.0.1:8787/files/t", path: "/files/t" };
  assert.equal(
    transferUrl(place, "https://mesh.example.org/team").href,
    "https://mesh.example.org/team/files/t",
  );
  assert.equal(
    transferUrl({ ...place, path: "//evil.example/t" }, "https://mesh.example.org").host,
    "mesh.example.org",
  );
  assert.equal(transferUrl({ url: place.url }, "http://127.0.0.1:8787").href, place.url);
});
