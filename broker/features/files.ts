/**
 * Shared files and the relay of peer files.
 */
import type { Handlers } from "../api/op.ts";
import type { files as contract } from "../api/files.ts";
import type { Call } from "../core/context.ts";

export const files: Handlers<typeof contract, Call> = {};
