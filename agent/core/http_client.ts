/**
 * The few requests that an agent makes over HTTP, before it is a member: making a mesh, claiming an invite, joining by an
 * old token.
 */
import type * as z from "zod";
import { isErrorCode, MeshError } from "../../broker/api/errors.ts";
import {
  type ClaimBody,
  type ClaimResult,
  claimResult,
  type JoinBody,
  type JoinResult,
  joinResult,
} from "../../broker/api/invites.ts";
import {
  type CreateMeshBody,
  type CreateMeshResult,
  createMeshResult,
} from "../../broker/api/mesh.ts";
import { errorOf } from "./frame.ts";
import { helloRefused } from "./link_refusal.ts";
import { LocalError } from "./local_error.ts";

const TIMEOUT_MS = 15_000;

/**
 * `POST /meshes`. `operatorToken` is needed unless the broker runs on this machine or lets everybody make meshes.
 * Rejects with the broker's MeshError, or LocalError `offline`, `bad_clock`, `bad_answer`.
 */
export async function postMesh(
  brokerUrl: string,
  body: CreateMeshBody,
  operatorToken: string | null,
): Promise<CreateMeshResult> {
  return await post(`${brokerUrl}/meshes`, body, createMeshResult, operatorToken);
}

/** `POST /invites/:code/claim`. Rejects as `postMesh`. */
export async function postClaim(
  brokerUrl: string,
  code: string,
  body: ClaimBody,
): Promise<ClaimResult> {
  return await post(
    `${brokerUrl}/invites/${encodeURIComponent(code)}/claim`,
    body,
    claimResult,
    null,
  );
}

/** `POST /join`, for version 1 tokens. Rejects as `postMesh`. */
export async function postJoin(brokerUrl: string, body: JoinBody): Promise<JoinResult> {
  return await post(`${brokerUrl}/join`, body, joinResult, null);
}

async function post<T extends z.ZodType>(
  url: string,
  body: unknown,
  result: T,
  bearer: string | null,
): Promise<z.output<T>> {
  let response: Response;
  let text: string;
  try {
    response = await fetch(url, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        ...(bearer === null ? {} : { authorization: `Bearer ${bearer}` }),
      },
      body: JSON.stringify(body),
      redirect: "error",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    text = await response.text();
  } catch (error) {
    throw new LocalError("offline", `cannot reach the broker at ${new URL(url).host}`, {
      hint: "check the address and whether the broker runs: claudemesh serve",
      cause: error,
    });
  }
  const value = parsed(text);
  if (!response.ok) throw refusal(response, value);
  const answer = result.safeParse(value);
  if (answer.success) return answer.data;
  throw new LocalError("bad_answer", `${new URL(url).host} does not answer as a broker would`, {
    hint: "check the address; this program may also be older than the broker",
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // A page, or a proxy's words: told as an answer that is none.
    return null;
  }
}

/** The error of an answer `{error: code, message, ...}`. */
function refusal(response: Response, value: unknown): Error {
  const fields = typeof value === "object" && value !== null ? value as { error?: unknown } : {};
  if (!isErrorCode(fields.error)) {
    return new LocalError("bad_answer", `the broker answered with status ${response.status}`, {
      hint: "check the address of the broker",
    });
  }
  const error = errorOf({ ...fields, type: "error", code: fields.error });
  if (error instanceof MeshError && error.code === "timestamp_skew") {
    const { reason, hint } = helloRefused(error, Date.now(), response.headers.get("date"));
    return new LocalError("bad_clock", reason, hint === null ? {} : { hint });
  }
  return error;
}
