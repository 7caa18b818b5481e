/**
 * The one shape in which every HTTP route is declared: its authentication, body limit and rate are data, so that a test
 * can list what lacks one. `app.ts` builds the application from these.
 */
import type * as z from "zod";
import type { ErrorCode } from "../api/errors.ts";
import type { UrlClaims } from "../../storage/objects/signed_urls.ts";
import type { BrokerContext } from "../core/context.ts";
import type { Rate } from "../core/rate_limits.ts";
import type { ClientAddress } from "./client_address.ts";

/**
 * How a route knows that the caller may do this:
 * `public`: shows only that the broker runs, to anybody;
 * `invite`: the code or token that the request names is the permission, its handler looks it up;
 * `operator`: a program on this machine, or the operator's token, checked before anything is read;
 * `signed`: the URL is the permission: signed by the broker for one purpose and one thing, and expired in a minute;
 * `founder`: as `operator`, or anybody where the broker runs with MESH_CREATION=open; the body is signed as well.
 */
export const AUTHENTICATIONS = ["public", "invite", "signed", "operator", "founder"] as const;
export type Authentication = (typeof AUTHENTICATIONS)[number];

/** How often one address may call a route; an operator who makes meshes is not counted. */
export interface RouteRate {
  /** Routes of the same bucket share it. */
  readonly bucket: string;
  readonly what: string;
  rate(broker: BrokerContext): Rate;
}

/** One request, as handlers get it. */
export interface HttpCall<Body> {
  readonly broker: BrokerContext;
  readonly address: ClientAddress;
  /** The path's named part, decoded; empty when there is none. */
  param(name: string): string;
  readonly body: Body;
  /** What the URL permits, of a route whose authentication is `signed`. */
  readonly claims: UrlClaims | null;
  /** As it came; its body is read unless the route declares one. */
  readonly request: Request;
}

/** What a route's body must be, and how long it may be. */
export interface BodySpec<Schema extends z.ZodType> {
  readonly schema: Schema;
  readonly limitBytes: number;
}

export interface Route<Schema extends z.ZodType = z.ZodType> {
  /** GET answers HEAD as well. */
  readonly method: "GET" | "POST" | "PATCH";
  /** hono's pattern, such as `/i/:code`. */
  readonly path: string;
  readonly summary: string;
  readonly authentication: Authentication;
  /** What a `signed` route's URL must permit; its path's named part is `token`. */
  readonly signedFor?: UrlClaims["purpose"];
  /** null where the caller need not be counted. */
  readonly rate: RouteRate | null;
  readonly body: BodySpec<Schema> | null;
  /** A page answers its errors as a page. */
  readonly answers: "json" | "page";
  /** HTTP statuses that differ from the error table's on this route. */
  readonly statuses?: Partial<Record<ErrorCode, number>>;
  readonly handle: (call: HttpCall<z.output<Schema>>) => Promise<Response> | Response;
}

/** Declares a route; its body's type is known to its handler alone, so that all routes stand in one table. */
export function route<Schema extends z.ZodType>(spec: Route<Schema>): Route {
  return spec as unknown as Route;
}
