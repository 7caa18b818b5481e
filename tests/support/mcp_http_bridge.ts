/**
 * Our MCP server behind streamable HTTP, for the conformance suite, which drives servers over HTTP alone. The program
 * itself serves stdio; everything behind the transport is the same.
 */
// @ts-types="@modelcontextprotocol/sdk/server/webStandardStreamableHttp"
import { WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport";
import type { LocalClient } from "../../agent/core/local_client.ts";
import { ClaudemeshServer } from "../../mcp/server.ts";
import { conformancePrompts, conformanceResources } from "./conformance_fixtures.ts";

interface HttpSession {
  readonly transport: WebStandardStreamableHTTPServerTransport;
  readonly server: ClaudemeshServer;
}

export class McpHttpBridge {
  readonly #connect: () => LocalClient;
  readonly #sessions = new Map<string, HttpSession>();
  readonly #http: Deno.HttpServer<Deno.NetAddr>;
  /** What the server reported as unforeseen. */
  readonly reported: unknown[] = [];

  /** @param connect gives each client's server its agent. */
  constructor(connect: () => LocalClient) {
    this.#connect = connect;
    this.#http = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      (request) => this.#answer(request),
    );
  }

  get url(): string {
    return `http://127.0.0.1:${this.#http.addr.port}/mcp`;
  }

  async close(): Promise<void> {
    for (const { server } of this.#sessions.values()) await server.close();
    await this.#http.shutdown();
  }

  async #answer(request: Request): Promise<Response> {
    const known = this.#sessions.get(request.headers.get("mcp-session-id") ?? "");
    if (known !== undefined) return await known.transport.handleRequest(request);
    const port = this.#http.addr.port;
    const transport = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: () => crypto.randomUUID(),
      onsessioninitialized: (sessionId) =>
        void this.#sessions.set(sessionId, { transport, server }),
      enableDnsRebindingProtection: true,
      allowedHosts: [`127.0.0.1:${port}`, `localhost:${port}`],
      allowedOrigins: [`http://127.0.0.1:${port}`, `http://localhost:${port}`],
    });
    const server = new ClaudemeshServer({
      version: "0.1.0",
      attachment: { sessionId: crypto.randomUUID(), pid: Deno.pid, cwd: Deno.cwd() },
      connect: () => Promise.resolve(this.#connect()),
      promptSources: [conformancePrompts],
      resourceSources: [conformanceResources],
      report: (error) => void this.reported.push(error),
    });
    await server.start(transport as Transport, () => {});
    return await transport.handleRequest(request);
  }
}
