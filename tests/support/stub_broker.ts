/**
 * A socket server that answers as a test tells it to: for the links of agents.
 */
import { type RawData, WebSocket, WebSocketServer } from "ws";

/** One connection of the agent. */
export interface StubConnection {
  readonly socket: WebSocket;
  /** Frames that came, oldest first. */
  readonly frames: Record<string, unknown>[];
  send(frame: object): void;
  /** Waits for the next frame that nobody has taken. */
  next(): Promise<Record<string, unknown>>;
}

/** A `hello_ack` as brokers send it. */
export function helloAckFrame(fields: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    type: "hello_ack",
    presenceId: "presence1",
    protocolVersion: 2,
    capabilities: [],
    memberId: "member1",
    memberDisplayName: "Ada",
    memberRole: "member",
    memberProfile: { roleTag: null, groups: [], messageMode: "push" },
    mesh: {
      id: "mesh1",
      slug: "team",
      name: "Team",
      ownerPubkey: "a".repeat(64),
      custody: "members",
      epoch: 1,
      rekeyNeeded: false,
      publicUrl: "http://127.0.0.1:1",
    },
    limits: { sendsPerMinute: 600, sendBurst: 120, messageBytes: 262_144 },
    ...fields,
  };
}

export class StubBroker {
  readonly connections: StubConnection[] = [];
  /** Called with each new connection. */
  onConnection: (connection: StubConnection) => void = () => {};
  readonly #server: WebSocketServer;
  #told: (() => void)[] = [];

  private constructor(server: WebSocketServer) {
    this.#server = server;
    // As every HTTP server does; it is how an agent learns that its clock is off.
    server.on("headers", (headers) => headers.push(`Date: ${new Date().toUTCString()}`));
    server.on("connection", (socket: WebSocket) => this.#accept(socket));
  }

  /** Listens on a free port; with `deaf` it does not answer pings. */
  static async start(options: { deaf?: boolean } = {}): Promise<StubBroker> {
    const server = new WebSocketServer({
      port: 0,
      host: "127.0.0.1",
      autoPong: options.deaf !== true,
    });
    await new Promise<void>((resolve) => server.once("listening", () => resolve()));
    return new StubBroker(server);
  }

  /** A stub that greets every hello with `hello_ack`. */
  static async greeting(options: { deaf?: boolean } = {}): Promise<StubBroker> {
    const broker = await StubBroker.start(options);
    broker.onConnection = (connection) => {
      void connection.next().then(({ _reqId }) => connection.send(helloAckFrame({ _reqId })));
    };
    return broker;
  }

  get url(): string {
    const address = this.#server.address();
    if (typeof address !== "object" || address === null) throw new Error("not listening");
    return `ws://127.0.0.1:${address.port}/ws`;
  }

  /** Waits for the connection number `count`. */
  async connection(count = 1): Promise<StubConnection> {
    while (this.connections.length < count) {
      await new Promise<void>((resolve) => this.#told.push(resolve));
    }
    return this.connections[count - 1]!;
  }

  async close(): Promise<void> {
    for (const { socket } of this.connections) socket.terminate();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #accept(socket: WebSocket): void {
    const frames: Record<string, unknown>[] = [];
    const waiting: ((frame: Record<string, unknown>) => void)[] = [];
    let taken = 0;
    socket.on("message", (data: RawData) => {
      const frame = JSON.parse(data.toString());
      frames.push(frame);
      const waiter = waiting.shift();
      if (waiter !== undefined) {
        taken += 1;
        waiter(frame);
      }
    });
    const connection: StubConnection = {
      socket,
      frames,
      send: (frame) => socket.send(JSON.stringify(frame)),
      next: () => {
        const frame = frames[taken];
        if (frame !== undefined) {
          taken += 1;
          return Promise.resolve(frame);
        }
        return new Promise((resolve) => waiting.push(resolve));
      },
    };
    this.connections.push(connection);
    this.onConnection(connection);
    for (const tell of this.#told.splice(0)) tell();
  }
}
