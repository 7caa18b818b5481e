/**
 * Instructions that a mesh publishes.
 */
import type { Handlers } from "../api/op.ts";
import type { skills as contract } from "../api/skills.ts";
import type { Call } from "../core/context.ts";

export const skills: Handlers<typeof contract, Call> = {};
