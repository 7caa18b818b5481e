/**
 * Addresses of a broker: its HTTP base as the configuration keeps it, and the WebSocket below it.
 */
import { LocalError } from "./local_error.ts";

/** The HTTP base behind `address`, which may be a WebSocket address or end in `/ws` or a slash. Throws LocalError. */
export function brokerBaseUrl(address: string): string {
  let url: URL;
  try {
    url = new URL(address);
  } catch {
    throw notAnAddress(address);
  }
  const protocol = { "ws:": "http:", "wss:": "https:", "http:": "http:", "https:": "https:" }[
    url.protocol
  ];
  if (protocol === undefined || url.username !== "" || url.search !== "" || url.hash !== "") {
    throw notAnAddress(address);
  }
  const path = url.pathname.replace(/\/+$/, "").replace(/\/ws$/, "");
  return `${protocol}//${url.host}${path}`;
}

/** The WebSocket address of the broker at an HTTP base. */
export function brokerSocketUrl(baseUrl: string): string {
  return `${baseUrl.replace(/^http/, "ws")}/ws`;
}

function notAnAddress(address: string): LocalError {
  return new LocalError(
    "invalid_argument",
    `"${address.slice(0, 200)}" is no address of a broker`,
    {
      hint: "write it as http://host:8787 or https://host",
    },
  );
}
