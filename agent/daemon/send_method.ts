/**
 * The local method `send`: one text to one or more recipients, each resolved in the right mesh, nobody named twice.
 */
import { LocalError, summarizeError } from "../core/local_error.ts";
import type { ParsedParams } from "../core/local_api.ts";
import type { DeliveryResult } from "../core/local_types.ts";
import type { MeshPeerApi, ResolvedTarget } from "../core/mesh_peer_api.ts";
import type { Agent, LocalHandlers } from "./local_method_context.ts";

type SendParams = ParsedParams<"send">;

type Addressee =
  | { readonly to: string; readonly peer: MeshPeerApi; readonly resolved: ResolvedTarget }
  | { readonly to: string; readonly mesh: string | null; readonly failure: unknown };

export const sendMethod: LocalHandlers<"send"> = {
  async send({ agent }, params) {
    const addressees: Addressee[] = [];
    // One after another, so that the order of the list is the order of the outbox.
    for (const to of params.to) addressees.push(await address(agent, params, to));
    const results = withoutRepeats(addressees).map((addressee) => deliver(params, addressee));
    return { results: await Promise.all(results) };
  },
};

const NOTHING_WRONG = { reason: null, hint: null };

function meshesOf(agent: Agent, sessionId: string | undefined): readonly string[] | null {
  return sessionId === undefined ? null : agent.sessions.get(sessionId)?.meshes ?? null;
}

async function address(agent: Agent, params: SendParams, to: string): Promise<Addressee> {
  try {
    return { to, ...await findAddressee(agent, params, to) };
  } catch (failure) {
    return { to, mesh: null, failure };
  }
}

/**
 * Finds who `to` names, and in which mesh: that of its prefix, the chosen one, or the only one that knows the name.
 * @throws {LocalError} as `resolve`, or `mesh_required`.
 */
export async function findAddressee(
  agent: Agent,
  { mesh, sessionId }: {
    readonly mesh?: string | undefined;
    readonly sessionId?: string | undefined;
  },
  to: string,
): Promise<{ peer: MeshPeerApi; resolved: ResolvedTarget }> {
  const among = meshesOf(agent, sessionId);
  const { slug, name } = splitPrefix(to, agent.meshes.slugs());
  const chosen = slug ?? mesh;
  return chosen === undefined
    ? await findMesh(agent, name, among)
    : await resolveIn(agent.meshes.choose(chosen, among), name);
}

/** `team:Ada` names Ada in the mesh `team`, when such a mesh is joined. */
function splitPrefix(
  to: string,
  slugs: readonly string[],
): { slug: string | undefined; name: string } {
  const colon = to.indexOf(":");
  const slug = colon > 0 ? to.slice(0, colon) : undefined;
  if (slug === undefined || !slugs.includes(slug)) return { slug: undefined, name: to };
  return { slug, name: to.slice(colon + 1).trim() };
}

/** Where no mesh is named, a name that only one mesh knows says which; groups and everyone do not. */
async function findMesh(
  agent: Agent,
  name: string,
  among: readonly string[] | null,
): Promise<{ peer: MeshPeerApi; resolved: ResolvedTarget }> {
  const peers = agent.meshes.peers(among);
  if (peers.length < 2 || name === "*" || name.startsWith("@")) {
    return await resolveIn(agent.meshes.choose(undefined, among), name);
  }
  const tried = await Promise.allSettled(peers.map((peer) => resolveIn(peer, name)));
  const found = tried.flatMap((each) => each.status === "fulfilled" ? [each.value] : []);
  const [only] = found;
  if (only !== undefined && found.length === 1) return only;
  if (only === undefined) {
    const [first] = tried.flatMap((each) => each.status === "rejected" ? [each.reason] : []);
    throw first;
  }
  const candidates = found.map(({ peer }) => `${peer.mesh.slug}:${name}`);
  throw new LocalError("mesh_required", `"${name}" is known in several meshes`, {
    hint: `Name one: ${candidates.join(", ")}`,
    candidates,
  });
}

async function resolveIn(
  peer: MeshPeerApi,
  name: string,
): Promise<{ peer: MeshPeerApi; resolved: ResolvedTarget }> {
  return { peer, resolved: await peer.resolve(name) };
}

/** Leaves out who is named before in another way, and in a mesh where everyone is named, everybody else. */
function withoutRepeats(addressees: readonly Addressee[]): Addressee[] {
  const everyone = new Set(
    addressees.flatMap((each) =>
      "peer" in each && each.resolved.kind === "everyone" ? [each.peer.mesh.meshId] : []
    ),
  );
  const named = new Set<string>();
  return addressees.filter((each) => {
    if (!("peer" in each)) return true;
    const { kind, memberKey, target } = each.resolved;
    const { meshId } = each.peer.mesh;
    if (kind !== "everyone" && everyone.has(meshId)) return false;
    const key = `${meshId} ${kind === "everyone" ? "*" : memberKey ?? target.toLowerCase()}`;
    if (named.has(key)) return false;
    named.add(key);
    return true;
  });
}

async function deliver(params: SendParams, addressee: Addressee): Promise<DeliveryResult> {
  const { to } = addressee;
  if (!("peer" in addressee)) {
    return { to, mesh: addressee.mesh, ok: false, error: summarizeError(addressee.failure) };
  }
  const { peer, resolved } = addressee;
  const mesh = peer.mesh.slug;
  try {
    const { body, priority, waitMs, replyTo, sessionId } = params;
    const sent = await peer.send({
      to: resolved.target,
      body,
      priority,
      waitMs,
      ...(replyTo === undefined ? {} : { replyTo }),
      ...(sessionId === undefined ? {} : { sessionId }),
    });
    const { state, messageId, clientMessageId, recipients } = sent;
    const { reason, hint } = state === "sent" ? NOTHING_WRONG : peer.state;
    return { to, mesh, ok: true, state, messageId, clientMessageId, recipients, reason, hint };
  } catch (error) {
    return { to, mesh, ok: false, error: summarizeError(error) };
  }
}
