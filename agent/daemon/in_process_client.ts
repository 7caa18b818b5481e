/**
 * A client of an agent in the same process, as `mcp --standalone` uses it: the same methods and checks, no socket.
 */
import type { LocalMethodName, LocalParams, LocalResult } from "../core/local_api.ts";
import type { LocalClient } from "../core/local_client.ts";
import type { LocalEvent } from "../core/local_types.ts";
import { answerCall } from "./local_calls.ts";
import type { Agent, Connection } from "./local_method_context.ts";
import { endSessionsOf } from "./session_methods.ts";

/** Connects to `agent`; `register` adds the connection to those that hear events, and returns how to take it away. */
export function connectInProcess(
  agent: Agent,
  register: (connection: Connection) => () => void,
): LocalClient {
  const gone = Promise.withResolvers<void>();
  const listeners = new Set<(event: LocalEvent) => void>();
  const connection: Connection = {
    watched: new Set(),
    streams: new Set(),
    sessions: new Set(),
    gone: gone.promise,
    emit: (event) => listeners.forEach((listener) => listener(event)),
  };
  const unregister = register(connection);
  const { version, revision, pid, sessions } = agent.info();
  return {
    greeting: { version, revision, pid, sessions },
    warning: null,
    closed: gone.promise,
    async call<M extends LocalMethodName>(
      method: M,
      params: LocalParams<M>,
    ): Promise<LocalResult<M>> {
      const afterwards: (() => void)[] = [];
      const context = {
        agent,
        connection,
        afterAnswer: (act: () => void) => void afterwards.push(act),
      };
      const result = await answerCall(context, method, params);
      for (const act of afterwards) act();
      return result as LocalResult<M>;
    },
    onEvent(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close() {
      unregister();
      endSessionsOf(agent, connection);
      gone.resolve();
      return Promise.resolve();
    },
  };
}
