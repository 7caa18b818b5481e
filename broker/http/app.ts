/**
 * Builds the HTTP application from the table of routes: every request passes the same checks in the same order (host,
 * origin, authentication, rate, body) before its handler sees it. The WebSocket upgrade is not among them; the server
 * takes it first.
 */
import { type Context, Hono } from "hono";
import { createHash, timingSafeEqual } from "node:crypto";
import { MeshError } from "../api/errors.ts";
import type { UrlClaims } from "../../storage/objects/signed_urls.ts";
import type { BrokerContext } from "../core/context.ts";
import { storeError } from "../core/store_error.ts";
import { failure } from "./answer.ts";
import { type ClientAddress, clientAddress, type OwnPlace } from "./client_address.ts";
import { requireOwnHost, requireSameOrigin } from "./client_address.ts";
import { errorPage } from "./invite_page.ts";
import { readBody } from "./request_body.ts";
import type { Route } from "./route.ts";
import { routesOf } from "./routes.ts";

/** What `Deno.serve` tells beside a request: pass its `info` as the second argument of `fetch`. */
export interface HttpBindings {
  readonly remoteAddr: Deno.Addr;
}

const REQUEST_ID_LENGTH = 12;

export type HttpApp = Hono<{ Bindings: HttpBindings }>;
type HttpContext = Context<{ Bindings: HttpBindings }>;

/** The application; serve it with `Deno.serve((request, info) => app.fetch(request, info))`. */
export function createHttp(
  broker: BrokerContext,
  routes: readonly Route[] = routesOf(broker),
): HttpApp {
  const app: HttpApp = new Hono();
  for (const route of routes) {
    app.on(route.method, route.path, (context) => answer(broker, route, context));
  }
  app.notFound((context) => {
    const error = new MeshError(
      "not_found",
      `there is no route ${context.req.method} of this path`,
    );
    return failure(error);
  });
  return app;
}

async function answer(
  broker: BrokerContext,
  route: Route,
  context: HttpContext,
): Promise<Response> {
  const startMs = broker.clock.now();
  const requestId = broker.random.id().slice(0, REQUEST_ID_LENGTH);
  const response = await handled(broker, route, context, requestId);
  response.headers.set("x-request-id", requestId);
  // The pattern, not the path: a code in it is as good as an invite.
  broker.log.debug("request", {
    requestId,
    route: `${route.method} ${route.path}`,
    status: response.status,
    tookMs: broker.clock.now() - startMs,
  });
  return response;
}

async function handled(
  broker: BrokerContext,
  route: Route,
  context: HttpContext,
  requestId: string,
): Promise<Response> {
  try {
    const call = await admitted(broker, route, context);
    return await route.handle(call);
  } catch (cause) {
    const error = publicError(broker, route, cause, requestId);
    return route.answers === "page" ? errorPage(error) : failure(error, route.statuses);
  }
}

/** Runs the checks; returns the call that passed them. */
async function admitted(broker: BrokerContext, route: Route, context: HttpContext) {
  const { headers } = context.req.raw;
  const place = placeOf(broker);
  requireOwnHost(headers, place);
  if (route.method !== "GET") requireSameOrigin(headers, place);
  if (broker.stopping() && route.authentication !== "public") {
    throw new MeshError("shutting_down", "the broker is stopping; try again in a moment", {
      data: { retry_after_ms: 2_000 },
    });
  }
  const address = clientAddress(context.env.remoteAddr, headers, place);
  const operator = isOperator(broker, address, headers);
  requireAuthentication(broker, route, operator);
  const claims = route.authentication === "signed"
    ? signedClaims(broker, route, context.req.param("token") ?? "")
    : null;
  if (route.rate !== null && !(operator && route.authentication === "founder")) {
    const { bucket, what } = route.rate;
    broker.rates.require(`${bucket} ${address.ip}`, route.rate.rate(broker), what);
  }
  const body = route.body === null
    ? undefined
    : await readBody(context.req.raw, route.body.schema, route.body.limitBytes, broker.clock);
  const param = (name: string) => context.req.param(name) ?? "";
  return { broker, address, param, body, claims, request: context.req.raw };
}

function placeOf(broker: BrokerContext): OwnPlace {
  const { host, trustedProxies } = broker.settings;
  return { host, publicUrl: broker.publicUrl(), trustedProxies };
}

/** Callers on this machine are the operator unless they come with a token, which must then be right. */
function isOperator(broker: BrokerContext, address: ClientAddress, headers: Headers): boolean {
  const authorization = headers.get("authorization");
  if (authorization === null) return address.local;
  const [scheme, token = ""] = authorization.split(" ");
  return scheme?.toLowerCase() === "bearer" && sameText(token, broker.operatorToken);
}

function requireAuthentication(broker: BrokerContext, route: Route, operator: boolean): void {
  const { authentication } = route;
  if (authentication === "public" || authentication === "invite" || operator) return;
  // Its URL is looked at next.
  if (authentication === "signed") return;
  if (authentication === "founder" && broker.settings.meshCreation === "open") return;
  throw new MeshError(
    "forbidden",
    "only from the broker's own machine, or with `Authorization: Bearer` and the operator's token (operator.token in " +
      "the broker's data folder)",
  );
}

/** What the URL permits. @throws {MeshError} `bad_signature`, `expired`. */
function signedClaims(broker: BrokerContext, route: Route, token: string): UrlClaims {
  const purpose = route.signedFor ?? "get";
  const claims = broker.stores.urls.verify(token, purpose, broker.clock.now());
  if (typeof claims !== "string") return claims;
  throw new MeshError(
    claims,
    claims === "expired"
      ? "this URL is over a minute old; ask the broker for another over the socket"
      : "this is no URL that the broker made for this purpose",
  );
}

/** Compares in a time that tells nothing of where they differ. */
function sameText(left: string, right: string): boolean {
  const [a, b] = [left, right].map((text) => createHash("sha256").update(text).digest());
  return a !== undefined && b !== undefined && timingSafeEqual(a, b);
}

/** What may be told of a failure; the rest goes to the log under the request's id. */
function publicError(
  broker: BrokerContext,
  route: Route,
  cause: unknown,
  reference: string,
): MeshError {
  const error = storeError(cause);
  if (error.code !== "internal" && error.code !== "unavailable" && error.code !== "storage_full") {
    return error;
  }
  broker.log.error("a request failed", {
    requestId: reference,
    route: `${route.method} ${route.path}`,
    code: error.code,
    error: String(error.cause ?? error),
    stack: cause instanceof Error ? cause.stack : undefined,
  });
  const message = error.code === "internal"
    ? `a bug in the broker; its log has it as ${reference}`
    : error.message;
  return new MeshError(error.code, message, { data: { ...error.data, reference } });
}
