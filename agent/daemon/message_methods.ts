/**
 * Local methods that read the inbox: hand messages out, count them as seen, follow what arrives.
 */
import type { ParsedParams } from "../core/local_api.ts";
import type { LocalMessage } from "../core/local_types.ts";
import { localMessage } from "./local_message.ts";
import type { Agent, LocalHandlers, MethodContext } from "./local_method_context.ts";

type TakeParams = ParsedParams<"messages.take">;

interface Taken {
  readonly messages: LocalMessage[];
  readonly more: boolean;
}

export const messageMethods: LocalHandlers<
  "messages.take" | "messages.seen" | "messages.list" | "messages.watch"
> = {
  async "messages.take"(context, params) {
    const { agent, afterAnswer } = context;
    const taken = await takeOrWait(context, params);
    if (!params.peek && !params.confirm && taken.messages.length > 0) {
      const ids = taken.messages.map((message) => message.id);
      afterAnswer(() => void markSeen(agent, ids, params.sessionId));
    }
    return taken;
  },

  "messages.seen": ({ agent }, { ids, sessionId }) => ({ seen: markSeen(agent, ids, sessionId) }),

  "messages.list"({ agent }, { mesh, limit, since }) {
    const peers = mesh === undefined ? agent.meshes.peers() : [agent.meshes.choose(mesh)];
    const options = { limit, ...(since === undefined ? {} : { sinceMs: since }) };
    const messages = peers.flatMap((peer) => peer.list(options)).map(localMessage);
    messages.sort((a, b) => a.receivedAt < b.receivedAt ? -1 : 1);
    return { messages: messages.slice(-limit) };
  },

  "messages.watch"({ agent, connection }, { mesh }) {
    connection.watched.add(mesh === undefined ? "all" : agent.meshes.choose(mesh).mesh.slug);
    return { watching: true };
  },
};

/**
 * Counts messages as shown, in every mesh that knows them; returns how many had not been. They do not wait any more for
 * the session that they were shown to; what is for several sessions goes on waiting for the others.
 */
function markSeen(agent: Agent, ids: readonly string[], sessionId: string | undefined): number {
  if (sessionId !== undefined) agent.sessions.mailOf(sessionId)?.drop(ids);
  return agent.meshes.peers().reduce((count, peer) => count + peer.markSeen(ids), 0);
}

async function takeOrWait(context: MethodContext, params: TakeParams): Promise<Taken> {
  const { agent, connection } = context;
  const first = take(agent, params);
  if (first.messages.length > 0 || params.waitMs === 0) return first;
  const end = Promise.withResolvers<void>();
  const timer = setTimeout(end.resolve, params.waitMs);
  let found: Taken = first;
  const stopListening = agent.onArrival(() => {
    found = take(agent, params);
    if (found.messages.length > 0) end.resolve();
  });
  try {
    await Promise.race([end.promise, connection.gone]);
    return found;
  } finally {
    clearTimeout(timer);
    stopListening();
  }
}

function prioritiesOf(params: TakeParams): LocalMessage["priority"][] {
  if (params.onlyNow) return ["now"];
  return params.includeLow ? ["now", "next", "low"] : ["now", "next"];
}

function take(agent: Agent, params: TakeParams): Taken {
  const priorities = prioritiesOf(params);
  const session = params.sessionId === undefined ? undefined : agent.sessions.get(params.sessionId);
  const { mesh, limit } = params;
  if (session !== undefined) {
    for (const peer of agent.peersOf(session)) session.mail.fill(peer);
    const waiting = session.mail.waiting({ mesh, priorities });
    return { messages: waiting.slice(0, limit), more: waiting.length > limit };
  }
  const peers = mesh === undefined ? agent.meshes.peers() : [agent.meshes.choose(mesh)];
  const reader = params.reader ?? params.sessionId ?? "person";
  const messages: LocalMessage[] = [];
  for (const peer of peers) {
    const left = limit - messages.length;
    if (left <= 0) return { messages, more: true };
    const options = { limit: left, priorities, peek: params.peek };
    messages.push(...peer.take(reader, options).map(localMessage));
  }
  return { messages, more: messages.length === limit };
}
