/**
 * The routes by which somebody comes in: a new mesh, a claim of an invite, a join by an old token. What they do is in
 * `broker/core/admission`.
 */
import type * as z from "zod";
import { claimBody, joinBody } from "../api/invites.ts";
import { createMeshBody } from "../api/mesh.ts";
import { claimInvite } from "../core/admission/claim_invite.ts";
import { foundMesh } from "../core/admission/found_mesh.ts";
import { joinByToken } from "../core/admission/join_by_token.ts";
import { json } from "./answer.ts";
import { type HttpCall, route } from "./route.ts";
import { CLAIM_RATE, CLAIM_STATUSES, MESH_CREATION_RATE } from "./route_rates.ts";

const BODY_BYTES = 16_384;

export const meshCreation = route({
  method: "POST",
  path: "/meshes",
  summary: "Make a mesh, with the caller as its owner.",
  authentication: "founder",
  rate: MESH_CREATION_RATE,
  body: { schema: createMeshBody, limitBytes: BODY_BYTES },
  answers: "json",
  handle: async ({ broker, body }: HttpCall<z.output<typeof createMeshBody>>) =>
    json(await foundMesh(broker, body), 201),
});

export const inviteClaim = route({
  method: "POST",
  path: "/invites/:code/claim",
  summary: "Join a mesh by an invite's code.",
  authentication: "invite",
  rate: CLAIM_RATE,
  body: { schema: claimBody, limitBytes: BODY_BYTES },
  answers: "json",
  statuses: CLAIM_STATUSES,
  handle: async (call: HttpCall<z.output<typeof claimBody>>) =>
    json(await claimInvite(call.broker, call.param("code"), call.body)),
});

export const tokenJoin = route({
  method: "POST",
  path: "/join",
  summary: "Join a mesh by a version 1 token.",
  authentication: "invite",
  rate: CLAIM_RATE,
  body: { schema: joinBody, limitBytes: BODY_BYTES },
  answers: "json",
  statuses: CLAIM_STATUSES,
  handle: async ({ broker, body }: HttpCall<z.output<typeof joinBody>>) =>
    json(await joinByToken(broker, body)),
});
