/**
 * Invite links: `<public url>/i/<code>#<secret>` as handed out, and every older form that `join`
 * reads (cli.md 1.3 and 8.2).
 */
import { fromBase64Url, toBase64Url } from "./bytes.ts";
import { INVITE_SECRET_BYTES } from "./invite_v2.ts";

/** What somebody pasted as an invite. */
export type InviteLink =
  | {
    kind: "code";
    code: string;
    /** web address of the broker, no slash at its end; null when the text names none */
    publicUrl: string | null;
    /** the 16 bytes behind `#`; null without: the join is unverified */
    secret: Uint8Array | null;
  }
  | {
    kind: "token";
    /** an invite version 1, not yet checked; it names its own broker */
    token: string;
  }
  | {
    kind: "invalid";
    /** "not_an_invite", or a link whose secret is damaged */
    reason: "not_an_invite" | "bad_secret";
  };

const CODE = /^[A-Za-z0-9]{6,16}$/;
const TOKEN = /^[A-Za-z0-9_-]{21,4096}$/;
const SEGMENT = /^[A-Za-z0-9_~%-][A-Za-z0-9._~%-]*$/;
const LOCALE = /^[A-Za-z]{2}$/;
const HOST = /^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?$/;
const LOCAL_HOST = /^(?:localhost|127\.[0-9.]+|\[::1\])(?:[:/]|$)/i;
const MAX_LENGTH = 8192;

const NOT_AN_INVITE: InviteLink = { kind: "invalid", reason: "not_an_invite" };

/**
 * The link to hand out. Throws TypeError when `publicUrl` is no http(s) address, the code is not 6
 * to 16 alphanumerics, or the secret has not 16 bytes.
 */
export function formatInviteLink(publicUrl: string, code: string, secret: Uint8Array): string {
  const url = new URL(publicUrl);
  const isWeb = url.protocol === "https:" || url.protocol === "http:";
  if (!isWeb || url.search !== "" || url.hash !== "" || url.username !== "") {
    throw new TypeError("a public URL is http(s), without user, query and fragment");
  }
  if (!CODE.test(code)) throw new TypeError("a code has 6 to 16 letters and digits");
  if (secret.length !== INVITE_SECRET_BYTES) {
    throw new TypeError(`an invite secret has ${INVITE_SECRET_BYTES} bytes`);
  }
  const base = url.origin + url.pathname.replace(/\/+$/, "");
  return `${base}/i/${code}#${toBase64Url(secret)}`;
}

/**
 * Reads what somebody pasted: a code or a token alone, or a link with or without scheme, two-letter
 * locale and secret, or one of the `ic:` and `claudemesh:` schemes. Never throws.
 */
export function parseInviteLink(text: string): InviteLink {
  const trimmed = text.trim();
  if (trimmed.length > MAX_LENGTH) return NOT_AN_INVITE;
  const [address = "", ...fragments] = trimmed.split("#");
  if (fragments.length > 1) return NOT_AN_INVITE;
  const [path = ""] = address.split("?");
  const link = parseAddress(path);
  if (link.kind !== "code" || fragments[0] === undefined || fragments[0] === "") return link;
  const secret = parseSecret(fragments[0]);
  return secret === null ? { kind: "invalid", reason: "bad_secret" } : { ...link, secret };
}

function parseAddress(address: string): InviteLink {
  if (CODE.test(address)) return codeLink(address, null);
  if (TOKEN.test(address)) return { kind: "token", token: address };
  const [, scheme = "", rest = ""] = /^(?:([a-z]+):\/\/)?(.*)$/i.exec(address) ?? [];
  const segments = rest.replace(/\/+$/, "").split("/");
  switch (scheme.toLowerCase()) {
    case "https":
    case "http":
      return parseWebPath(scheme.toLowerCase(), segments);
    case "":
      return parseWebPath(LOCAL_HOST.test(rest) ? "http" : "https", segments);
    case "claudemesh":
    case "ic":
      return parseSchemePath(segments);
    default:
      return NOT_AN_INVITE;
  }
}

/** `[host, ...prefix, "i" | "join", code or token]` */
function parseWebPath(scheme: string, segments: string[]): InviteLink {
  const [host = "", ...path] = segments;
  const last = path.at(-1) ?? "";
  const verb = path.at(-2);
  if (!HOST.test(host)) return NOT_AN_INVITE;
  if (verb === "join" && TOKEN.test(last)) return { kind: "token", token: last };
  if (verb !== "i" || !CODE.test(last)) return NOT_AN_INVITE;
  const prefix = path.slice(0, -2);
  if (!prefix.every((segment) => SEGMENT.test(segment))) return NOT_AN_INVITE;
  // A lone two-letter segment is the language of a web page, no part of the broker's address.
  const isLocale = prefix.length === 1 && LOCALE.test(prefix[0] ?? "");
  const base = [host.toLowerCase(), ...(isLocale ? [] : prefix)].join("/");
  return codeLink(last, `${scheme}://${base}`);
}

/** `["i", code]`, `[code]`, `["join", token]`, or a web path behind the program's own scheme */
function parseSchemePath(segments: string[]): InviteLink {
  const [first = "", second = ""] = segments;
  if (segments.length === 1 && CODE.test(first)) return codeLink(first, null);
  if (segments.length === 2 && first === "i" && CODE.test(second)) return codeLink(second, null);
  if (segments.length === 2 && first === "join" && TOKEN.test(second)) {
    return { kind: "token", token: second };
  }
  const scheme = LOCAL_HOST.test(first) ? "http" : "https";
  return segments.length > 2 ? parseWebPath(scheme, segments) : NOT_AN_INVITE;
}

function codeLink(code: string, publicUrl: string | null): InviteLink {
  return { kind: "code", code, publicUrl, secret: null };
}

function parseSecret(text: string): Uint8Array | null {
  try {
    const secret = fromBase64Url(text);
    return secret.length === INVITE_SECRET_BYTES ? secret : null;
  } catch {
    // Not base64url: the link was cut or changed on its way.
    return null;
  }
}
