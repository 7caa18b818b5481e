/**
 * The shapes of configuration values: each turns a text into a value or says what is wrong and how it should look. They
 * never repeat the text, which may be a secret put in the wrong place.
 */
import { BlockList, isIP } from "node:net";

/** How one setting is read; `shape` completes "must be ...". */
export interface ValueKind<T> {
  readonly shape: string;
  /** Returns undefined for a text of another shape. */
  read(text: string): T | undefined;
}

/** A whole number from `least` to `most`. */
export function wholeNumber(least: number, most: number): ValueKind<number> {
  return {
    shape: `a whole number from ${least} to ${most}`,
    read(text) {
      const value = /^\d{1,15}$/.test(text) ? Number(text) : NaN;
      return value >= least && value <= most ? value : undefined;
    },
  };
}

/** One of some words. */
export function oneOf<Word extends string>(...words: Word[]): ValueKind<Word> {
  return {
    shape: words.map((word) => `"${word}"`).join(" or "),
    read: (text) => words.find((word) => word === text),
  };
}

/** `1` or `0`, also `true` and `false`. */
export const flag: ValueKind<boolean> = {
  shape: "1 or 0",
  read(text) {
    if (text === "1" || text === "true") return true;
    return text === "0" || text === "false" ? false : undefined;
  },
};

/** The address of an interface, or a name that stands for one. */
export const hostName: ValueKind<string> = {
  shape: "an address such as 127.0.0.1, 0.0.0.0 or ::, or a host name",
  read: (text) =>
    isIP(text) !== 0 || /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/i.test(text) ? text : undefined,
};

/** A path; made absolute by the caller. */
export const path: ValueKind<string> = {
  shape: "a path",
  read: (text) => text === "" || text.includes("\0") ? undefined : text,
};

/** An `http` or `https` address without query, given back without a trailing slash. */
export const webAddress: ValueKind<string> = {
  shape: "an address such as https://mesh.example.org (http or https, no user, query or fragment)",
  read(text) {
    if (!URL.canParse(text)) return undefined;
    const url = new URL(text);
    const plain = url.search === "" && url.hash === "" && url.username === "" &&
      url.password === "";
    const web = url.protocol === "http:" || url.protocol === "https:";
    return web && plain ? `${url.origin}${url.pathname.replace(/\/+$/, "")}` : undefined;
  },
};

/** PostgreSQL's connection string. */
export const databaseUrl: ValueKind<string> = {
  shape: "an address such as postgres://user:password@host:5432/database",
  read(text) {
    if (!URL.canParse(text)) return undefined;
    return ["postgres:", "postgresql:"].includes(new URL(text).protocol) ? text : undefined;
  },
};

/** A token of the operator's own making. */
export const operatorToken: ValueKind<string> = {
  shape: "32 to 256 characters without spaces, for example of `openssl rand -hex 32`",
  read: (text) => /^[\x21-\x7e]{32,256}$/.test(text) ? text : undefined,
};

/** 32 bytes in hex. */
export const key: ValueKind<string> = {
  shape: "64 hex characters, for example of `openssl rand -hex 32`",
  read: (text) => /^[0-9a-f]{64}$/i.test(text) ? text : undefined,
};

/** The address of a server, with or without its scheme and port; nothing more. */
export const serverAddress: ValueKind<
  { host: string; port: number | null; secure: boolean | null }
> = {
  shape: "a host with or without a port, such as minio:9000 or https://objects.example.org",
  read(text) {
    const scheme = /^(https?):\/\//.exec(text)?.[1] ?? null;
    const address = scheme === null ? `http://${text}` : text;
    if (!URL.canParse(address)) return undefined;
    const url = new URL(address);
    if (url.pathname !== "/" || url.search !== "" || url.hash !== "") return undefined;
    if (url.username !== "" || url.password !== "" || url.hostname === "") return undefined;
    const host = url.hostname.replace(/^\[|\]$/g, "");
    const port = url.port === "" ? null : Number(url.port);
    return { host, port, secure: scheme === null ? null : scheme === "https" };
  },
};

/** What a provider calls a model. */
export const modelName: ValueKind<string> = {
  shape: "a model's name such as text-embedding-3-small, 1 to 128 characters without spaces",
  read: (text) => /^[\x21-\x7e]{1,128}$/.test(text) ? text : undefined,
};

/** A key or password. */
export const secretText: ValueKind<string> = {
  shape: "1 to 512 characters without spaces",
  read: (text) => /^[\x21-\x7e]{1,512}$/.test(text) ? text : undefined,
};

/** The address of a Neo4j server. */
export const boltAddress: ValueKind<string> = {
  shape: "an address such as bolt://127.0.0.1:7687 or neo4j+s://graph.example.org",
  read(text) {
    if (!URL.canParse(text)) return undefined;
    const url = new URL(text);
    const isPlain = url.search === "" && url.hash === "" && url.username === "" &&
      url.password === "";
    return isPlain && /^(bolt|neo4j)(\+s|\+ssc)?:$/.test(url.protocol) ? text : undefined;
  },
};

/** Names of text-search configurations with commas; whether the database has them is found out when it is open. */
export const languages: ValueKind<readonly string[]> = {
  shape: "one to eight names of text-search configurations with commas, such as simple,english",
  read(text) {
    const names = [...new Set(text.toLowerCase().split(",").map((name) => name.trim()))];
    return names.length <= 8 && names.every((name) => /^[a-z_]{1,63}$/.test(name))
      ? names
      : undefined;
  },
};

/** Addresses and networks with commas. */
export const networks: ValueKind<readonly string[]> = {
  shape: "addresses or networks with commas, such as 10.0.0.1,192.168.0.0/16",
  read(text) {
    const parts = text.split(",").map((part) => part.trim()).filter((part) => part !== "");
    return parts.every(isNetwork) ? parts : undefined;
  },
};

function isNetwork(text: string): boolean {
  const [address = "", bits, ...rest] = text.split("/");
  const version = isIP(address);
  if (version === 0 || rest.length > 0) return false;
  if (bits === undefined) return true;
  if (!/^\d{1,3}$/.test(bits) || Number(bits) > (version === 6 ? 128 : 32)) return false;
  new BlockList().addSubnet(address, Number(bits), version === 6 ? "ipv6" : "ipv4");
  return true;
}
