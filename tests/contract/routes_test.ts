/**
 * Every HTTP route names who may call it, how often and how much, and the application holds to that before a handler
 * runs. The broker here is nothing but settings, so whatever reaches further fails the test.
 */
import assert from "node:assert/strict";
import { defaultLimits } from "../../broker/api/limits.ts";
import { type Clock, systemRandom } from "../../broker/core/clock.ts";
import type { BrokerContext } from "../../broker/core/context.ts";
import { brokerLog } from "../../broker/core/log.ts";
import { Metrics } from "../../broker/core/metrics.ts";
import { RateLimits } from "../../broker/core/rate_limits.ts";
import { createHttp } from "../../broker/http/app.ts";
import { AUTHENTICATIONS, type Route } from "../../broker/http/route.ts";
import { routesOf } from "../../broker/http/routes.ts";
import { SignedUrls } from "../../storage/objects/signed_urls.ts";

const OPERATOR = "operator-token-of-this-test";
const urls = new SignedUrls(new Uint8Array(32).fill(1));

interface Overrides {
  readonly meshCreation?: "open" | "operator";
  readonly stopping?: boolean;
}

function bareBroker({ meshCreation = "operator", stopping = false }: Overrides): BrokerContext {
  const clock: Clock = { now: () => 0, after: () => () => {} };
  return {
    settings: {
      host: "0.0.0.0",
      trustedProxies: [],
      meshCreation,
      limits: { ...defaultLimits(), claimsPerMinute: 3, invitePagesPerMinute: 3 },
    },
    clock,
    random: systemRandom,
    log: brokerLog(),
    metrics: new Metrics(),
    rates: new RateLimits(clock),
    operatorToken: OPERATOR,
    stores: { urls },
    publicUrl: () => "https://mesh.example",
    stopping: () => stopping,
  } as unknown as BrokerContext;
}

const routes = routesOf(bareBroker({}));
const posts = routes.filter((route) => route.method === "POST");

interface Sent {
  readonly from?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
  /** Of a signed URL. */
  readonly token?: string;
}

async function call(
  route: Pick<Route, "method" | "path">,
  sent: Sent = {},
  overrides: Overrides = {},
  broker = bareBroker(overrides),
): Promise<{ status: number; answer: Record<string, unknown>; headers: Headers }> {
  const path = route.path.replace(":code", "Ab3dE6gH").replace(":token", sent.token ?? "junk");
  const isPost = route.method === "POST";
  const request = new Request(`https://mesh.example${path}`, {
    method: route.method,
    headers: {
      host: "mesh.example",
      ...(isPost ? { "content-type": "application/json" } : {}),
      ...sent.headers,
    },
    ...(isPost ? { body: sent.body ?? "{}" } : {}),
  });
  const remoteAddr = { transport: "tcp", hostname: sent.from ?? "198.51.100.7", port: 1 } as const;
  const response = await createHttp(broker, routes).fetch(request, { remoteAddr });
  const text = await response.text();
  const isJson = response.headers.get("content-type")?.startsWith("application/json") ?? false;
  return {
    status: response.status,
    answer: isJson ? JSON.parse(text) : { text },
    headers: response.headers,
  };
}

Deno.test("every route names its authentication, and none stands in the table twice", () => {
  const without = routes.filter((route) => !AUTHENTICATIONS.includes(route.authentication));
  assert.deepEqual(without.map((route) => route.path), []);
  const names = routes.map((route) => `${route.method} ${route.path}`);
  assert.deepEqual(names, [...new Set(names)]);
});

Deno.test("the routes and their authentication are these and no others", () => {
  assert.deepEqual(
    routes.map((route) => `${route.method} ${route.path} ${route.authentication}`).sort(),
    [
      "GET /files/:token signed",
      "GET /health public",
      "GET /health/ready public",
      "GET /i/:code invite",
      "GET /metrics operator",
      "GET /uploads/:token signed",
      "PATCH /uploads/:token signed",
      "POST /hook/set-status operator",
      "POST /invites/:code/claim invite",
      "POST /join invite",
      "POST /meshes founder",
    ],
  );
});

Deno.test("whoever comes by an invite is counted by address", () => {
  for (const route of routes) {
    if (route.authentication === "invite") assert.notEqual(route.rate, null, route.path);
  }
});

Deno.test("every route that changes something has a bounded body", () => {
  for (const route of posts) {
    assert.ok(route.body !== null && route.body.limitBytes <= 65_536, route.path);
  }
});

for (
  const route of routes.filter((each) => ["operator", "founder"].includes(each.authentication))
) {
  Deno.test(`${route.path}: only this machine and the operator's token pass`, async () => {
    const strangers: Sent[] = [
      {},
      { headers: { authorization: "Bearer wrong" } },
      { headers: { authorization: OPERATOR } },
      { headers: { authorization: `Basic ${OPERATOR}` } },
      { from: "127.0.0.1", headers: { "x-forwarded-for": "127.0.0.1" } },
      { from: "127.0.0.1", headers: { host: "evil.example" } },
      { from: "127.0.0.1", headers: { authorization: "Bearer wrong" } },
    ];
    for (const stranger of strangers) {
      // The body is broken: were it looked at, the answer would be another.
      const { status, answer } = await call(route, { ...stranger, body: "{" });
      assert.equal(status, 403, JSON.stringify(stranger));
      assert.equal(answer.error, "forbidden");
    }
    const friends: Sent[] = [
      { from: "127.0.0.1" },
      { from: "::1" },
      { headers: { authorization: `Bearer ${OPERATOR}` } },
      { from: "127.0.0.1", headers: { authorization: `bearer ${OPERATOR}` } },
    ];
    for (const friend of friends) {
      const { status } = await call(route, { ...friend, body: "{" });
      assert.notEqual(status, 403, JSON.stringify(friend));
    }
  });
}

for (const route of routes.filter((each) => each.authentication === "signed")) {
  const name = `${route.method} ${route.path}`;

  Deno.test(`${name}: only a URL that was signed for this passes, and only in time`, async () => {
    const purpose = route.signedFor;
    assert.ok(purpose !== undefined, "it does not say what its URL must permit");
    const claims = { bucket: "mesh-a", key: "shared/f/a", label: "[]", expiresAtMs: 1 };
    const good = urls.sign({ ...claims, purpose });
    const others = [
      "junk",
      good.slice(0, -1),
      urls.sign({ ...claims, purpose: purpose === "get" ? "put" : "get" }),
      new SignedUrls(new Uint8Array(32)).sign({ ...claims, purpose }),
    ];
    // The operator's token opens no file either.
    const headers = { authorization: `Bearer ${OPERATOR}` };
    for (const token of others) {
      const { status, answer } = await call(route, { token, headers, from: "127.0.0.1" });
      assert.equal(status, 401, token);
      assert.equal(answer.error, "bad_signature");
    }
    const expired = urls.sign({ ...claims, purpose, expiresAtMs: 0 });
    const late = await call(route, { token: expired });
    assert.deepEqual([late.status, late.answer.error], [410, "expired"]);
    // This broker has no store: a request that passes runs into that.
    assert.equal((await call(route, { token: good })).status, 500);
  });
}

Deno.test("an open broker lets strangers ask for a mesh, but not read its figures", async () => {
  const open = { meshCreation: "open" } as const;
  assert.equal((await call({ method: "POST", path: "/meshes" }, {}, open)).status, 400);
  assert.equal((await call({ method: "GET", path: "/metrics" }, {}, open)).status, 403);
});

for (const route of posts) {
  const friend = { authorization: `Bearer ${OPERATOR}` };

  Deno.test(`${route.path}: a body of the limit is read, one byte more is refused`, async () => {
    const limit = route.body?.limitBytes ?? 0;
    const good = await call(route, { headers: friend, body: "{}".padEnd(limit) });
    assert.equal(good.answer.error, "invalid_argument");
    const bad = await call(route, { headers: friend, body: "{}".padEnd(limit + 1) });
    assert.equal(bad.status, 413);
    assert.equal(bad.answer.error, "too_large");
    assert.equal(bad.answer.limit, limit);
  });

  Deno.test(`${route.path}: junk and pages of other sites are refused`, async () => {
    assert.equal((await call(route, { headers: friend, body: "{" })).answer.error, "malformed");
    const text = { ...friend, "content-type": "text/plain" };
    assert.equal((await call(route, { headers: text })).answer.error, "malformed");
    const foreign = { ...friend, origin: "https://evil.example" };
    assert.equal((await call(route, { headers: foreign })).answer.error, "forbidden");
  });
}

for (const route of routes.filter((each) => each.rate !== null)) {
  Deno.test(`${route.path}: the call past the rate is refused with the time to wait`, async () => {
    const broker = bareBroker({ meshCreation: "open" });
    const { perMinute } = route.rate!.rate(broker);
    for (let count = 0; count < perMinute; count++) {
      assert.notEqual((await call(route, {}, {}, broker)).status, 429);
    }
    const refused = await call(route, {}, {}, broker);
    assert.equal(refused.status, 429);
    assert.ok(route.answers === "page" || Number(refused.answer.retry_after_ms) > 0);
    assert.notEqual((await call(route, { from: "203.0.113.5" }, {}, broker)).status, 429);
  });
}

Deno.test("no answer may be framed, sniffed, cached or shared with another site", async () => {
  for (const route of routes) {
    const { headers } = await call(route);
    assert.match(headers.get("content-security-policy") ?? "", /default-src 'none'/, route.path);
    assert.match(headers.get("content-security-policy") ?? "", /frame-ancestors 'none'/);
    assert.equal(headers.get("x-content-type-options"), "nosniff");
    assert.equal(headers.get("referrer-policy"), "no-referrer");
    assert.equal(headers.get("cache-control"), "no-store");
    assert.equal(headers.get("access-control-allow-origin"), null);
    assert.match(headers.get("x-request-id") ?? "", /^[0-9A-Za-z]{12}$/);
  }
});

Deno.test("a route that is not there, and a method that a route has not, is not_found as JSON", async () => {
  for (const route of [{ method: "GET", path: "/nope" }, { method: "GET", path: "/meshes" }]) {
    const { status, answer } = await call(route as Route);
    assert.equal(status, 404);
    assert.equal(answer.error, "not_found");
  }
});

Deno.test("a stopping broker takes nothing in, but says that it is alive", async () => {
  const { status, answer } = await call(
    { method: "POST", path: "/join" },
    {},
    { stopping: true },
  );
  assert.equal(status, 503);
  assert.equal(answer.error, "shutting_down");
});

Deno.test("what goes wrong inside is answered with a reference and nothing else", async () => {
  // This broker has no store: the handler runs into that.
  const { status, answer } = await call({ method: "GET", path: "/i/:code" });
  assert.equal(status, 500);
  assert.match(String(answer.text), /Something went wrong/);
  assert.match(String(answer.text), /Reference: <code>[0-9A-Za-z]{12}<\/code>/);
  assert.ok(!String(answer.text).includes("undefined"));
});
