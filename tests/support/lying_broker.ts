/**
 * A broker that lies: it stands between an agent and the real broker and may change every frame that the broker sends.
 */
import { type RawData, WebSocket, WebSocketServer } from "ws";

/** What becomes of a frame on its way to the agent: frames to send in its place. */
export type Lie = (frame: Record<string, unknown>) => readonly object[];

export class LyingBroker {
  /** Applied to every frame from now on; tells the truth at first. */
  lie: Lie = (frame) => [frame];
  readonly #server: WebSocketServer;
  readonly #sockets = new Set<WebSocket>();
  readonly #open: Promise<void>[] = [];

  private constructor(server: WebSocketServer, brokerSocketUrl: string) {
    this.#server = server;
    server.on("connection", (socket: WebSocket) => this.#relay(socket, brokerSocketUrl));
  }

  /** Listens on a free port. */
  static async start(brokerSocketUrl: string): Promise<LyingBroker> {
    const server = new WebSocketServer({ port: 0, host: "127.0.0.1", perMessageDeflate: false });
    await new Promise<void>((resolve) => server.once("listening", () => resolve()));
    return new LyingBroker(server, brokerSocketUrl);
  }

  /** What an agent's configuration names as its broker. */
  get url(): string {
    const address = this.#server.address();
    if (typeof address !== "object" || address === null) throw new Error("not listening");
    return `http://127.0.0.1:${address.port}`;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.terminate();
    await Promise.all(this.#open);
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #relay(agent: WebSocket, brokerSocketUrl: string): void {
    const broker = new WebSocket(brokerSocketUrl, { perMessageDeflate: false });
    const early: string[] = [];
    agent.on("message", (data: RawData) => {
      if (broker.readyState === WebSocket.OPEN) broker.send(data.toString());
      else early.push(data.toString());
    });
    broker.on("open", () => {
      for (const text of early) broker.send(text);
    });
    broker.on("message", (data: RawData) => {
      for (const frame of this.lie(JSON.parse(data.toString()))) {
        agent.send(JSON.stringify(frame));
      }
    });
    this.#join(agent, broker);
    this.#join(broker, agent);
  }

  /** The end of one connection is the end of the other. */
  #join(one: WebSocket, other: WebSocket): void {
    this.#sockets.add(one);
    one.on("error", () => other.terminate());
    this.#open.push(
      new Promise((resolve) => {
        one.on("close", () => {
          this.#sockets.delete(one);
          other.terminate();
          resolve();
        });
      }),
    );
  }
}
