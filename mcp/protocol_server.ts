/**
 * The server's side of MCP on the SDK's protocol class: the handshake, and nothing that asks the client for something.
 * The SDK's own `Server` adds just that, and with it a JSON Schema compiler of 11 MiB for answers that this server never
 * requests.
 */
// @ts-types="@modelcontextprotocol/sdk/shared/protocol"
import { Protocol } from "@modelcontextprotocol/sdk/shared/protocol.js";
// @ts-types="@modelcontextprotocol/sdk/types"
import {
  InitializedNotificationSchema,
  InitializeRequestSchema,
  LATEST_PROTOCOL_VERSION,
  SUPPORTED_PROTOCOL_VERSIONS,
} from "@modelcontextprotocol/sdk/types.js";
import type {
  Implementation,
  InitializeRequest,
  InitializeResult,
  Notification,
  Request,
  Result,
  ServerCapabilities,
} from "@modelcontextprotocol/sdk/types";

export interface ProtocolServerOptions {
  readonly info: Implementation;
  readonly capabilities: ServerCapabilities;
  readonly instructions: string;
}

export class ProtocolServer extends Protocol<Request, Notification, Result> {
  readonly #options: ProtocolServerOptions;
  #clientInfo: Implementation | null = null;
  /** Called when the client has said that it is initialized. */
  oninitialized?: () => void;

  constructor(options: ProtocolServerOptions) {
    super();
    this.#options = options;
    this.setRequestHandler(InitializeRequestSchema, (request) => this.#initialize(request));
    this.setNotificationHandler(InitializedNotificationSchema, () => this.oninitialized?.());
  }

  /** What the client calls itself; null before the handshake. */
  get clientInfo(): Implementation | null {
    return this.#clientInfo;
  }

  #initialize({ params }: InitializeRequest): InitializeResult {
    const { protocolVersion: wanted, clientInfo } = params;
    const { info, capabilities, instructions } = this.#options;
    this.#clientInfo = clientInfo;
    const isKnown = SUPPORTED_PROTOCOL_VERSIONS.includes(wanted);
    return {
      protocolVersion: isKnown ? wanted : LATEST_PROTOCOL_VERSION,
      capabilities,
      serverInfo: info,
      instructions,
    };
  }

  protected override assertCapabilityForMethod(method: string): void {
    throw new Error(`This server asks its clients for nothing, so not for "${method}" either`);
  }

  protected override assertNotificationCapability(): void {
    // Channel events are declared as experimental; the list changes with their lists.
  }

  protected override assertRequestHandlerCapability(): void {
    // The handlers and the capabilities stand together in server.ts.
  }

  protected override assertTaskCapability(method: string): void {
    throw new Error(`This server makes no tasks, so not for "${method}" either`);
  }

  protected override assertTaskHandlerCapability(method: string): void {
    throw new Error(`This server makes no tasks, so not for "${method}" either`);
  }
}
