/**
 * The MCP server: its capabilities and handlers, over whatever transport it is given.
 */
// @ts-types="@modelcontextprotocol/sdk/types"
import {
  CallToolRequestSchema,
  ErrorCode,
  GetPromptRequestSchema,
  ListPromptsRequestSchema,
  ListResourcesRequestSchema,
  ListResourceTemplatesRequestSchema,
  ListToolsRequestSchema,
  McpError,
  ReadResourceRequestSchema,
} from "@modelcontextprotocol/sdk/types.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport";
import { skillsEvents } from "../broker/api/skills.ts";
import type { LocalMethodName, LocalParams } from "../agent/core/local_api.ts";
import type { LocalClient } from "../agent/core/local_client.ts";
import { summarizeError } from "../agent/core/local_error.ts";
import { releaseMemoryOnceSettled } from "../agent/core/release_memory.ts";
import type { CallResult, LocalEvent, SessionState } from "../agent/core/local_types.ts";
import { AgentLink } from "./agent_link.ts";
import { AnswerTransport } from "./answer_transport.ts";
import { CHANNEL_METHOD } from "./channel.ts";
import { ChannelPushes } from "./channel_pushes.ts";
import { FollowedStreams } from "./followed_streams.ts";
import { instructions } from "./instructions.ts";
import { ListChanges } from "./list_changes.ts";
import { getPrompt, listPrompts, type PromptSource } from "./prompts.ts";
import { ProtocolServer } from "./protocol_server.ts";
import { listResources, readResource, type ResourceSource } from "./resources.ts";
import { MeshSkills } from "./skills.ts";
import { callTool } from "./tool_calls.ts";
import { allTools, listedTool } from "./tools/catalog.ts";
import type { Tool, ToolContext } from "./tools/tool.ts";

export interface McpServerOptions {
  readonly version: string;
  /** How the session presents itself; `channel` is added from the client's name. */
  readonly attachment: LocalParams<"session.attach">;
  /** The session's role tag, for its instructions. */
  readonly role?: string | undefined;
  connect(): Promise<LocalClient>;
  /** Hears of what nobody foresaw; the server goes on. */
  report(error: unknown): void;
  readonly promptSources?: readonly PromptSource[];
  readonly resourceSources?: readonly ResourceSource[];
  /** Milliseconds from `initialized` to the first channel event, and to the session's showing in the meshes. */
  readonly channelGraceMs?: number;
  readonly attachDelayMs?: number;
}

/** How long a tool waits for the connection before it says that there is none. */
const CLIENT_WAIT_MS = 2_500;
/** Clients that only look (health checks) are gone by then, and no mesh has seen them come and go. */
const ATTACH_DELAY_MS = 500;
const WELCOME_TIMEOUT_MS = 10_000;
/** How long a list waits for the agent, and for the meshes. A host that starts waits for all lists before its first turn. */
const LIST_WAIT_MS = 700;
/** Events that change what the lists of prompts and resources have. */
const SKILL_EVENTS: ReadonlySet<string> = new Set([
  skillsEvents.skillPublished.name ?? "",
  skillsEvents.skillRemoved.name ?? "",
]);

/** Whether an error is one of the declared ones. */
function isForeseen(error: unknown): boolean {
  return summarizeError(error).code !== "internal";
}

/** A server for one client. */
export class ClaudemeshServer {
  readonly #options: McpServerOptions;
  readonly #server: ProtocolServer;
  readonly #link: AgentLink;
  readonly #pushes: ChannelPushes;
  readonly #tools: ReadonlyMap<string, Tool>;
  readonly #skills = new MeshSkills((wire, input, mesh) => this.#look(wire, input, mesh));
  readonly #lists: ListChanges;
  readonly #followed = new FollowedStreams();
  #transport: AnswerTransport | null = null;
  #attachTimer: ReturnType<typeof setTimeout> | undefined;
  #isInitialized = false;
  #isFollowingAgain = false;
  #followAgainWanted = false;

  constructor(options: McpServerOptions) {
    this.#options = options;
    const { displayName, messageMode = "push" } = options.attachment;
    this.#server = new ProtocolServer({
      info: { name: "claudemesh", version: options.version },
      capabilities: {
        experimental: { "claude/channel": {} },
        tools: { listChanged: true },
        prompts: { listChanged: true },
        resources: { listChanged: true },
      },
      instructions: instructions({ displayName, role: options.role, messageMode }),
    });
    this.#pushes = new ChannelPushes({
      send: (params) =>
        this.#server.notification({ method: CHANNEL_METHOD, params: { ...params } }),
      ...(options.channelGraceMs === undefined ? {} : { graceMs: options.channelGraceMs }),
    });
    this.#pushes.mode = messageMode;
    this.#lists = new ListChanges({ notify: (method) => this.#server.notification({ method }) });
    this.#link = new AgentLink({
      connect: () => {
        this.#followed.lost();
        return options.connect();
      },
      attachment: () => this.#attachment(),
      onEvent: (event) => this.#onEvent(event),
      onAttached: (state) => this.#onAttached(state),
    });
    const tools = allTools(() => ({
      messageMode: this.#pushes.mode,
      isReady: this.#isInitialized,
      clientName: this.#server.clientInfo?.name ?? null,
    }));
    this.#tools = new Map(tools.map((tool) => [tool.name, tool]));
    this.#server.onerror = (error) => options.report(error);
    this.#handleTools();
    this.#handlePrompts();
    this.#handleResources();
    this.#server.oninitialized = () => this.#onInitialized();
  }

  /** Answers on `transport` and begins to connect to the agent; `onClose` hears of the client's end. */
  async start(transport: Transport, onClose: () => void): Promise<void> {
    this.#transport = new AnswerTransport(transport);
    this.#server.onclose = onClose;
    await this.#server.connect(this.#transport);
    this.#link.start();
  }

  async close(): Promise<void> {
    clearTimeout(this.#attachTimer);
    this.#pushes.close();
    this.#lists.close();
    await this.#link.stop();
    await this.#server.close();
  }

  #onInitialized(): void {
    this.#isInitialized = true;
    releaseMemoryOnceSettled();
    this.#pushes.clientReady();
    this.#lists.clientReady();
    const delayMs = this.#options.attachDelayMs ?? ATTACH_DELAY_MS;
    this.#attachTimer = setTimeout(() => this.#link.allowAttach(), delayMs);
  }

  #attachment(): LocalParams<"session.attach"> {
    const channel = this.#server.clientInfo?.name.slice(0, 64);
    return {
      peerType: "ai",
      ...(channel ? { channel } : {}),
      ...this.#options.attachment,
    };
  }

  #onEvent(event: LocalEvent): void {
    if (event.kind !== "stream" || this.#followed.heard(event)) this.#pushes.take(event);
    if (event.kind === "system" && SKILL_EVENTS.has(event.event)) this.#lists.changed();
    if (event.kind !== "state" || !event.state.connected) return;
    // A mesh that is reached for the first time, or was joined since the session began.
    void this.#welcome([event.state]);
    void this.#followAgain();
    void this.#compareSkills();
  }

  #onAttached(state: SessionState): void {
    this.#pushes.mode = state.messageMode;
    void this.#welcome(state.meshes.filter((mesh) => mesh.connected));
    void this.#followAgain();
    void this.#compareSkills();
  }

  /** What was published while nobody listened. */
  async #compareSkills(): Promise<void> {
    try {
      if (await this.#skills.hasChanged()) this.#lists.changed();
    } catch (error) {
      this.#options.report(error);
    }
  }

  /** Asks the session's meshes, or one of them, for what shows the session to nobody. */
  async #look(
    wire: string,
    input: Record<string, unknown>,
    mesh?: string,
  ): Promise<readonly CallResult[]> {
    const { sessionId, meshes } = this.#options.attachment;
    const client = await this.#link.connected(LIST_WAIT_MS);
    const params = { wire, input, sessionId, timeoutMs: mesh ? CLIENT_WAIT_MS : LIST_WAIT_MS };
    const wanted = mesh === undefined ? meshes : [mesh];
    if (wanted === undefined) {
      return (await client.call("call", { ...params, every: true })).results;
    }
    const answers = wanted.map((each) => client.call("call", { ...params, mesh: each }));
    return (await Promise.all(answers)).flatMap(({ results }) => results);
  }

  /** Subscribes again to what a lost agent, or a lost connection to it, has taken along. */
  async #followAgain(): Promise<void> {
    this.#followAgainWanted = true;
    if (this.#isFollowingAgain) return;
    this.#isFollowingAgain = true;
    while (this.#followAgainWanted) {
      this.#followAgainWanted = false;
      await this.#followLost();
    }
    this.#isFollowingAgain = false;
  }

  async #followLost(): Promise<void> {
    for (const { mesh, meshId, stream, from } of this.#followed.wanted()) {
      const { sessionId } = this.#options.attachment;
      try {
        const client = await this.#link.client(WELCOME_TIMEOUT_MS);
        const input = { stream, from };
        const { results } = await client.call("call", {
          mesh,
          wire: "subscribe",
          input,
          sessionId,
        });
        const [result] = results;
        // Everything else is tried again when the mesh is reached the next time.
        if (result?.ok !== false || result.error.code !== "not_found") continue;
        this.#followed.forget(mesh, stream);
        this.#pushes.take({ kind: "stream", mesh, meshId, news: { kind: "ended", stream } });
      } catch (error) {
        if (!isForeseen(error)) this.#options.report(error);
      }
    }
  }

  async #welcome(meshes: SessionState["meshes"]): Promise<void> {
    for (const mesh of meshes) {
      try {
        const client = await this.#link.client(WELCOME_TIMEOUT_MS);
        const { results } = await client.call("call", { mesh: mesh.slug, wire: "list_peers" });
        const [listed] = results;
        if (listed === undefined || !listed.ok) continue;
        const peers = listed.output.peers as { displayName: string; memberPubkey: string }[];
        const others = peers.filter((peer) => peer.memberPubkey !== mesh.pubkey)
          .map((peer) => peer.displayName);
        this.#pushes.welcome(mesh, others, mesh.unseen);
      } catch (error) {
        // Not connected any more: the next connection greets.
        if (!isForeseen(error)) this.#options.report(error);
      }
    }
  }

  #context(): ToolContext {
    return {
      sessionId: this.#options.attachment.sessionId,
      call: async <M extends LocalMethodName>(method: M, params: LocalParams<M>) => {
        const client = await this.#link.client(CLIENT_WAIT_MS);
        return await client.call(method, params);
      },
    };
  }

  #handleTools(): void {
    this.#server.setRequestHandler(ListToolsRequestSchema, () => ({
      tools: [...this.#tools.values()].map(listedTool),
    }));
    this.#server.setRequestHandler(CallToolRequestSchema, async ({ params }, { requestId }) => {
      const tool = this.#tools.get(params.name);
      if (tool === undefined) {
        const name = params.name.slice(0, 100);
        throw new McpError(ErrorCode.InvalidParams, `No tool is called "${name}"`);
      }
      const rides = this.#pushes.mode !== "off";
      const outcome = await callTool(tool, params.arguments, this.#context(), rides);
      if (outcome.carried.length > 0) {
        this.#transport?.afterAnswer(requestId, () => this.#confirm(outcome.carried));
      }
      return outcome.result;
    });
  }

  /** The messages stand in an answer that has left: they were put before the model. */
  #confirm(ids: readonly string[]): void {
    const { sessionId } = this.#options.attachment;
    this.#context().call("messages.seen", { ids: [...ids], sessionId }).catch((error) => {
      // The agent is gone; the messages stay unseen and are shown again, which is the safe side.
      if (!isForeseen(error)) this.#options.report(error);
    });
  }

  #handlePrompts(): void {
    const sources = [...this.#options.promptSources ?? [], this.#skills.prompts];
    this.#server.setRequestHandler(ListPromptsRequestSchema, () => listPrompts(sources));
    this.#server.setRequestHandler(
      GetPromptRequestSchema,
      ({ params }) => getPrompt(sources, params.name, params.arguments ?? {}),
    );
  }

  #handleResources(): void {
    const sources = [...this.#options.resourceSources ?? [], this.#skills.resources];
    this.#server.setRequestHandler(ListResourcesRequestSchema, () => listResources(sources));
    this.#server.setRequestHandler(ListResourceTemplatesRequestSchema, () => ({
      resourceTemplates: [],
    }));
    this.#server.setRequestHandler(
      ReadResourceRequestSchema,
      ({ params }) => readResource(sources, params.uri),
    );
  }
}
