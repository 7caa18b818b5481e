/**
 * A mesh's own SQL tables.
 */
import type { Handlers } from "../api/op.ts";
import type { sharedSql as contract } from "../api/shared_sql.ts";
import type { Call } from "../core/context.ts";

export const sharedSql: Handlers<typeof contract, Call> = {};
