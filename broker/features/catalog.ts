/**
 * The handlers of all features, in the catalog's own order: one that is missing or mistyped does not compile.
 */
import type { HandlerTable } from "../core/dispatch.ts";
import { groups } from "./groups.ts";
import { invites } from "./invites.ts";
import { members } from "./members.ts";
import { mesh } from "./mesh.ts";
import { meshKeys } from "./mesh_keys.ts";
import { messaging } from "./messaging.ts";
import { presence } from "./presence.ts";

export const handlers: HandlerTable = {
  messaging,
  presence,
  groups,
  members,
  invites,
  meshKeys,
  mesh,
};
