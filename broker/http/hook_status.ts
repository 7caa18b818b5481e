/**
 * `POST /hook/set-status`: a host program's hook says whether a session works or waits (reference protocol 6.2). Keyed by
 * the host's session id; only programs on this machine and the operator may speak for sessions (D11).
 */
import * as z from "zod";
import { status } from "../api/fields.ts";
import { MeshError } from "../api/errors.ts";
import { json } from "./answer.ts";
import { type HttpCall, route } from "./route.ts";

const hookBody = z.object({
  session_id: z.string().min(1).max(128).optional(),
  cwd: z.string().max(4096).optional(),
  pid: z.int().nonnegative().optional(),
  status,
}).refine(
  (body) => body.session_id !== undefined || (body.cwd !== undefined && body.pid !== undefined),
  {
    message: "name the session: session_id, or cwd and pid",
    path: ["session_id"],
  },
);

export const hookStatus = route({
  method: "POST",
  path: "/hook/set-status",
  summary: "Take a hook's word for a session's status.",
  authentication: "operator",
  // Counted per session, in the handler: all hooks of a machine come from one address.
  rate: null,
  body: { schema: hookBody, limitBytes: 16_384 },
  answers: "json",
  handle: setStatus,
});

function setStatus({ broker, body }: HttpCall<z.output<typeof hookBody>>): Response {
  broker.metrics.hookRequests.inc();
  const perMinute = broker.settings.limits.hookPostsPerMinute;
  const key = body.session_id ?? `${body.pid}\n${body.cwd}`;
  try {
    broker.rates.require(`hook ${key}`, { perMinute, burst: perMinute }, "status posts");
  } catch (cause) {
    if (cause instanceof MeshError) broker.metrics.hookRequestsLimited.inc();
    throw cause;
  }
  const { presenceIds, pending } = broker.status.hook({
    status: body.status,
    sessionId: body.session_id ?? null,
    cwd: body.cwd ?? "",
    pid: body.pid ?? null,
  });
  const [first] = presenceIds;
  return json({
    ok: true,
    ...(first === undefined ? {} : { presence_id: first }),
    ...(pending ? { pending } : {}),
  });
}
