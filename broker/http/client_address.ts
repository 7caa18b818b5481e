/**
 * Where a request comes from: the client's address, whether it stands on this machine, and whether its `Host` and
 * `Origin` are ones that this broker answers to (against DNS rebinding and cross-site requests).
 */
import { BlockList, isIP } from "node:net";
import { MeshError } from "../api/errors.ts";

/** Where a request comes from. */
export interface ClientAddress {
  /** The client's IP address, or `unix` for a local socket: what rates are counted by. */
  readonly ip: string;
  /** Sent by a program on this machine itself, not on behalf of another one. */
  readonly local: boolean;
}

/** What is known of the broker's own place. */
export interface OwnPlace {
  /** The address that it is bound to. */
  readonly host: string;
  /** How peers reach it. */
  readonly publicUrl: string;
  readonly trustedProxies: readonly string[];
}

/** Headers by which proxies say that a request is somebody else's. */
const FORWARDING = ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via"];

/**
 * Returns the client's address. `X-Forwarded-For` counts only when the peer is a trusted proxy, and then from its end up
 * to the first address that is not one. A request that was forwarded is never `local`, nor is one whose `Host` is a name
 * of somebody else's: a page that a browser on this machine has loaded could have sent it.
 */
export function clientAddress(
  remote: Deno.Addr,
  headers: Headers,
  place: OwnPlace,
): ClientAddress {
  if (!("hostname" in remote)) return { ip: "unix", local: true };
  const peer = plainIp(remote.hostname);
  const forwarded = FORWARDING.some((name) => headers.has(name));
  const ip = forwarded ? forwardedIp(peer, headers, place.trustedProxies) : peer;
  const local = !forwarded && isLoopback(peer) && isOwnHost(headers.get("host"), place);
  return { ip, local };
}

/**
 * Refuses a `Host` that is none of the broker's names when it is bound to loopback: only a page that was loaded from
 * elsewhere, with a name that resolves to this machine, sends such a one.
 * @throws {MeshError} `forbidden`.
 */
export function requireOwnHost(headers: Headers, place: OwnPlace): void {
  if (!isLoopbackName(place.host) || isOwnHost(headers.get("host"), place)) return;
  throw new MeshError(
    "forbidden",
    "this broker answers to loopback names only; set HOST or BROKER_PUBLIC_URL to reach it by another",
  );
}

/**
 * Refuses a browser's request from another site.
 * @throws {MeshError} `forbidden`.
 */
export function requireSameOrigin(headers: Headers, place: OwnPlace): void {
  const origin = headers.get("origin");
  if (origin === null) return;
  if (URL.canParse(origin)) {
    const { host } = new URL(origin);
    const same = origin === new URL(place.publicUrl).origin || host === headers.get("host");
    if (same && isOwnHost(host, place)) return;
  }
  throw new MeshError("forbidden", "requests from pages of other sites are not accepted");
}

function isOwnHost(host: string | null, place: OwnPlace): boolean {
  const name = hostName(host);
  if (name === null) return false;
  return isLoopbackName(name) || name === place.host.toLowerCase() ||
    name === new URL(place.publicUrl).hostname.replace(/^\[|\]$/g, "");
}

/** `localhost:8787` -> `localhost`, `[::1]:80` -> `::1`; null for what is no host. */
function hostName(host: string | null): string | null {
  if (host === null || !URL.canParse(`http://${host}`)) return null;
  const url = new URL(`http://${host}`);
  if (url.pathname !== "/" || url.username !== "" || url.search !== "") return null;
  return url.hostname.replace(/^\[|\]$/g, "");
}

function isLoopbackName(name: string): boolean {
  return name === "localhost" || name.endsWith(".localhost") || isLoopback(name);
}

function isLoopback(ip: string): boolean {
  return ip === "::1" || (isIP(ip) === 4 && ip.startsWith("127."));
}

/** IPv4 inside IPv6 (`::ffff:127.0.0.1`) is the IPv4 address. */
function plainIp(ip: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(ip);
  return mapped?.[1] ?? ip;
}

function forwardedIp(peer: string, headers: Headers, trustedProxies: readonly string[]): string {
  const trusted = blockList(trustedProxies);
  const hops = (headers.get("x-forwarded-for") ?? "").split(",").map((hop) => plainIp(hop.trim()));
  let ip = peer;
  for (const hop of hops.reverse()) {
    if (!holds(trusted, ip) || isIP(hop) === 0) return ip;
    ip = hop;
  }
  return ip;
}

function blockList(ranges: readonly string[]): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [address = "", bits] = range.split("/");
    const family = isIP(address) === 6 ? "ipv6" : "ipv4";
    if (bits === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(bits), family);
  }
  return list;
}

function holds(list: BlockList, ip: string): boolean {
  const version = isIP(ip);
  return version !== 0 && list.check(ip, version === 6 ? "ipv6" : "ipv4");
}
