/**
 * Every operation and event, in one list each: what dispatch, clients, tools, verbs and the reference pages read.
 */
import type { EventSpec } from "./event.ts";
import { groups } from "./groups.ts";
import { invites } from "./invites.ts";
import { memberEvents, members } from "./members.ts";
import { mesh } from "./mesh.ts";
import { meshKeyEvents, meshKeys } from "./mesh_keys.ts";
import { messaging, push, pushBatch } from "./messaging.ts";
import type { Op } from "./op.ts";
import { presence, presenceEvents } from "./presence.ts";

/** Feature name -> its operations; a feature of the same name in `broker/features` holds the handlers. */
export const features = {
  messaging,
  presence,
  groups,
  members,
  invites,
  meshKeys,
  mesh,
} as const;

export const ops: readonly Op[] = Object.values(features).flatMap((feature) =>
  Object.values(feature) as Op[]
);

export const events: readonly EventSpec[] = [
  push,
  pushBatch,
  ...Object.values(presenceEvents),
  ...Object.values(memberEvents),
  ...Object.values(meshKeyEvents),
] as unknown as readonly EventSpec[];

/** Request frame type -> operation. */
export const opByWire: ReadonlyMap<string, Op> = new Map(ops.map((each) => [each.wire, each]));
