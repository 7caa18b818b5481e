/**
 * Local methods about the agent itself and the sessions attached to it.
 */
import { LocalError } from "../core/local_error.ts";
import { answerHook } from "./hooks.ts";
import type { Agent, Connection, LocalHandlers } from "./local_method_context.ts";
import type { Session } from "./sessions.ts";

export const sessionMethods: LocalHandlers<
  | "agent.info"
  | "agent.stop"
  | "agent.reload"
  | "session.attach"
  | "session.detach"
  | "hook"
> = {
  "agent.info"({ agent }) {
    agent.meshes.mend();
    return agent.info();
  },

  "agent.stop"({ agent, afterAnswer }) {
    afterAnswer(() => agent.requestStop());
    return { stopping: true };
  },

  "agent.reload": async ({ agent }) => ({ meshes: await agent.reload() }),

  "session.attach"({ agent, connection }, params) {
    const joined = agent.meshes.slugs();
    const unknown = params.meshes?.filter((slug) => !joined.includes(slug)) ?? [];
    if (unknown.length > 0) {
      throw new LocalError("not_found", `"${unknown.join(", ")}" is no joined mesh`, {
        hint: joined.length === 0
          ? "Join one with `claudemesh join LINK`"
          : `Joined are: ${joined.join(", ")}`,
        candidates: joined,
      });
    }
    const messageMode = params.messageMode ?? agent.defaultMode();
    const { session } = agent.sessions.attach(params, connection, messageMode);
    connection.sessions.add(session.sessionId);
    for (const peer of agent.peersOf(session)) {
      peer.attachSession(session.info);
      session.mail.fill(peer);
    }
    agent.reporter.report(session);
    return {
      sessionId: session.sessionId,
      messageMode,
      meshes: agent.meshes.states(session.meshes),
    };
  },

  "session.detach"({ agent, connection }, { sessionId }) {
    const session = agent.sessions.detach(sessionId);
    if (session === null) return { detached: false };
    connection.sessions.delete(session.sessionId);
    leaveMeshes(agent, session);
    return { detached: true };
  },

  "hook": ({ agent }, params) => answerHook(agent, params),
};

/** A client is gone: its sessions end unless another connection holds them. */
export function endSessionsOf(agent: Agent, connection: Connection): void {
  for (const sessionId of connection.sessions) {
    const ended = agent.sessions.release(sessionId, connection);
    if (ended !== null) leaveMeshes(agent, ended);
  }
  connection.sessions.clear();
}

function leaveMeshes(agent: Agent, session: Session): void {
  for (const peer of agent.peersOf(session)) peer.detachSession(session.sessionId);
}
