/**
 * How often one address may call which routes, and where the statuses of invite routes differ from the error table:
 * an invite that is gone is 410 whatever ended it (CONTRACTS 4).
 */
import type { ErrorCode } from "../api/errors.ts";
import type { LimitName } from "../api/limits.ts";
import type { RouteRate } from "./route.ts";

/** Claims and joins of one address share a bucket. */
export const CLAIM_RATE = perMinute("claim", "claimsPerMinute", "claims from this address");

export const INVITE_PAGE_RATE = perMinute(
  "invite_page",
  "invitePagesPerMinute",
  "invite pages from this address",
);

export const MESH_CREATION_RATE = perMinute(
  "mesh_creation",
  "meshCreationsPerMinute",
  "new meshes from this address",
);

export const CLAIM_STATUSES: Partial<Record<ErrorCode, number>> = {
  revoked: 410,
  bad_signature: 400,
};

function perMinute(bucket: string, limit: LimitName, what: string): RouteRate {
  return {
    bucket,
    what,
    rate(broker) {
      const value = broker.settings.limits[limit];
      return { perMinute: value, burst: value };
    },
  };
}
