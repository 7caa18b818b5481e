/**
 * URLs of the broker's own for reading and writing objects: a token with what it permits and until when, and an
 * HMAC-SHA-256 over both. Such a URL is a permission of a minute for one thing; the key never leaves the broker.
 *
 * Token: base64url of the claims' JSON, a dot, base64url of the HMAC over "claudemesh-url|v1|" and the first part.
 */
import { createHmac, timingSafeEqual } from "node:crypto";

/** What a URL permits. */
export interface UrlClaims {
  readonly purpose: "get" | "put";
  readonly bucket: string;
  readonly key: string;
  /** What its maker wants to know again when it is used. */
  readonly label: string;
  /** Milliseconds since 1970. */
  readonly expiresAtMs: number;
}

/** Why a token permits nothing. */
export type UrlRefusal = "bad_signature" | "expired";

const MAX_TOKEN_CHARS = 2_048;

/** Makes and reads tokens under one key. */
export class SignedUrls {
  readonly #key: Uint8Array;

  /** `key` has 32 bytes. Throws TypeError on another length. */
  constructor(key: Uint8Array) {
    if (key.length !== 32) throw new TypeError("the key for URLs has 32 bytes");
    this.#key = key.slice();
  }

  /** The token for these claims. */
  sign(claims: UrlClaims): string {
    const { purpose, bucket, key, label, expiresAtMs } = claims;
    const text = JSON.stringify([purpose, bucket, key, label, expiresAtMs]);
    const payload = new TextEncoder().encode(text).toBase64({
      alphabet: "base64url",
      omitPadding: true,
    });
    return `${payload}.${this.#mac(payload)}`;
  }

  /** The claims of a token for `purpose` that is good at `nowMs`, or why it is not. Never throws. */
  verify(token: string, purpose: UrlClaims["purpose"], nowMs: number): UrlClaims | UrlRefusal {
    if (token.length > MAX_TOKEN_CHARS) return "bad_signature";
    const [payload = "", mac = "", ...rest] = token.split(".");
    const [given, right] = [mac, this.#mac(payload)].map((text) => new TextEncoder().encode(text));
    if (rest.length > 0 || given!.length !== right!.length) return "bad_signature";
    if (!timingSafeEqual(given!, right!)) return "bad_signature";
    // From here on it is what `sign` made.
    const bytes = Uint8Array.fromBase64(payload, { alphabet: "base64url" });
    const [signedPurpose, bucket, key, label, expiresAtMs] = JSON.parse(
      new TextDecoder().decode(bytes),
    ) as [UrlClaims["purpose"], string, string, string, number];
    if (signedPurpose !== purpose) return "bad_signature";
    if (nowMs >= expiresAtMs) return "expired";
    return { purpose, bucket, key, label, expiresAtMs };
  }

  #mac(payload: string): string {
    return createHmac("sha256", this.#key).update(`claudemesh-url|v1|${payload}`)
      .digest("base64url");
  }
}
