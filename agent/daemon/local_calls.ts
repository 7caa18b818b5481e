/**
 * Answers one call of a local client: finds the method, checks its parameters, runs it.
 */
import { isLocalMethod, localMethods } from "../core/local_api.ts";
import { LocalError } from "../core/local_error.ts";
import { fileMethods } from "./file_methods.ts";
import type { LocalHandlers, MethodContext } from "./local_method_context.ts";
import { meshMethods } from "./mesh_methods.ts";
import { messageMethods } from "./message_methods.ts";
import { sendMethod } from "./send_method.ts";
import { sessionMethods } from "./session_methods.ts";
import { streamMethods } from "./stream_methods.ts";

const handlers: LocalHandlers = {
  ...sessionMethods,
  ...messageMethods,
  ...sendMethod,
  ...meshMethods,
  ...streamMethods,
  ...fileMethods,
};

/** Thrown for a name that is no method, so that JSON-RPC's own code can say it. */
export class UnknownMethod extends LocalError {
  constructor(name: string) {
    super("unknown_method", `The agent has no method "${name.slice(0, 64)}"`, {
      exit: 8,
      hint: "The agent may be older than this program: run `claudemesh agent stop`, then try again",
    });
  }
}

/**
 * Runs the method `name` with `params` as they came.
 * @throws {UnknownMethod} for a name that is none, {LocalError} `invalid_argument` for wrong parameters, and whatever
 * the method throws.
 */
export async function answerCall(
  context: MethodContext,
  name: unknown,
  params: unknown,
): Promise<unknown> {
  if (!isLocalMethod(name)) throw new UnknownMethod(String(name));
  const parsed = localMethods[name].params.safeParse(params ?? {});
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const field = issue?.path.join(".") || "parameters";
    throw new LocalError("invalid_argument", `${field}: ${issue?.message ?? "wrong"}`);
  }
  const handler = handlers[name] as (context: MethodContext, params: unknown) => unknown;
  return await handler(context, parsed.data);
}
