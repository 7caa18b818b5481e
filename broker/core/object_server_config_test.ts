/** Where files are kept, as the settings say it. */
import assert from "node:assert/strict";
import { ConfigError, loadSettings } from "./config.ts";
import type { ObjectServer } from "./settings.ts";

const keys = { MINIO_ACCESS_KEY: "access", MINIO_SECRET_KEY: "secret" };

async function serverOf(env: Record<string, string>): Promise<ObjectServer | null> {
  const settings = await loadSettings({ flags: {}, env: { HOME: "/nowhere", ...env } });
  return settings.objectServer;
}

Deno.test("without an endpoint files are kept in the data folder", async () => {
  assert.equal(await serverOf({}), null);
});

Deno.test("an endpoint is a host with or without port and scheme", async () => {
  const cases: [string, string | undefined, string, number, boolean][] = [
    ["minio", undefined, "minio", 80, false],
    ["minio:9000", undefined, "minio", 9000, false],
    ["minio", "1", "minio", 443, true],
    ["https://s3.example.org", undefined, "s3.example.org", 443, true],
    ["http://[::1]:9000/", "0", "::1", 9000, false],
  ];
  for (const [endpoint, useSsl, host, port, secure] of cases) {
    const server = await serverOf({
      ...keys,
      MINIO_ENDPOINT: endpoint,
      ...(useSsl === undefined ? {} : { MINIO_USE_SSL: useSsl }),
    });
    assert.deepEqual(
      server,
      { host, port, secure, accessKey: "access", secretKey: "secret", publicPlace: null },
      endpoint,
    );
  }
});

Deno.test("peers may reach the server by an address of its own", async () => {
  const env = { ...keys, MINIO_ENDPOINT: "minio:9000", MINIO_PUBLIC_URL: "https://o.example" };
  const publicPlace = { host: "o.example", port: 443, secure: true };
  assert.deepEqual((await serverOf(env))?.publicPlace, publicPlace);
});

Deno.test("a part of the settings, and a wrong one, stop the start without telling secrets", async () => {
  const wrong: [Record<string, string>, RegExp][] = [
    [{ MINIO_ENDPOINT: "minio" }, /MINIO_ACCESS_KEY and MINIO_SECRET_KEY go together/],
    [keys, /go together/],
    [{ MINIO_PUBLIC_URL: "https://o.example" }, /go together/],
    [{ ...keys, MINIO_ENDPOINT: "minio/path" }, /MINIO_ENDPOINT must be a host/],
    [{ ...keys, MINIO_ENDPOINT: "https://user:pass@minio" }, /MINIO_ENDPOINT must be a host/],
    [{ ...keys, MINIO_ENDPOINT: "minio", MINIO_USE_SSL: "maybe" }, /MINIO_USE_SSL must be 1 or 0/],
  ];
  for (const [env, expected] of wrong) {
    await assert.rejects(serverOf(env), (error) => {
      assert.ok(error instanceof ConfigError);
      assert.match(error.message, expected);
      return !/secret$|pass@/m.test(error.message);
    });
  }
});
