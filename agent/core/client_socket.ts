/**
 * The part of `npm:ws` that a link uses, typed here, and its loading: a process that does not connect never pays for it.
 */
import { Buffer } from "node:buffer";

/** What a message event carries. */
export type SocketData = Buffer | ArrayBuffer | Buffer[];

/** A client socket of `npm:ws`. */
export interface ClientSocket {
  readonly readyState: number;
  send(text: string): void;
  ping(): void;
  close(code: number): void;
  /** Ends the connection without a closing handshake. */
  terminate(): void;
  on(event: "open" | "ping" | "pong", listener: () => void): void;
  on(event: "message", listener: (data: SocketData, isBinary: boolean) => void): void;
  on(event: "close", listener: (code: number, reason: Buffer) => void): void;
  on(event: "error", listener: (error: Error) => void): void;
  on(
    event: "upgrade",
    listener: (response: { headers: { date?: string | undefined } }) => void,
  ): void;
}

/** `readyState` of an open socket. */
export const OPEN = 1;

interface SocketOptions {
  readonly handshakeTimeout: number;
  readonly perMessageDeflate: boolean;
  readonly maxPayload: number;
}

/** Opens a socket to `url`; events tell the rest. */
export async function openSocket(url: string, options: SocketOptions): Promise<ClientSocket> {
  const { WebSocket } = await import("ws") as unknown as {
    WebSocket: new (url: string, options: SocketOptions) => ClientSocket;
  };
  return new WebSocket(url, options);
}

/** The text of a message. */
export function socketText(data: SocketData): string {
  if (Array.isArray(data)) return Buffer.concat(data).toString();
  return data instanceof ArrayBuffer ? Buffer.from(data).toString() : data.toString();
}
