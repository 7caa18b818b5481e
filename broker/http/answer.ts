/**
 * Answers: JSON and pages with the headers that keep browsers from doing more with them, and errors with the status of
 * the error table.
 */
import { type ErrorCode, ERRORS, MeshError } from "../api/errors.ts";

const COMMON_HEADERS = {
  "cache-control": "no-store",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "cross-origin-resource-policy": "same-origin",
} as const;

const NOTHING = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** A JSON answer. */
export function json(
  value: unknown,
  status = 200,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return new Response(`${JSON.stringify(value)}\n`, {
    status,
    headers: {
      ...COMMON_HEADERS,
      "content-type": "application/json; charset=utf-8",
      "content-security-policy": NOTHING,
      ...headers,
    },
  });
}

/** A text answer of a type of its own, such as metrics. */
export function text(body: string, contentType: string): Response {
  return new Response(body, {
    headers: {
      ...COMMON_HEADERS,
      "content-type": contentType,
      "content-security-policy": NOTHING,
    },
  });
}

/** A page. Nothing is loaded and no script runs; `styleHash` (`sha256-...`) is that of the page's one style element. */
export function page(html: string, styleHash: string, status = 200): Response {
  return new Response(html, {
    status,
    headers: {
      ...COMMON_HEADERS,
      "content-type": "text/html; charset=utf-8",
      "content-security-policy": `${NOTHING}; style-src '${styleHash}'`,
    },
  });
}

/** An answer of encrypted bytes; `null` for what HEAD asks. */
export function streamed(
  body: ReadableStream<Uint8Array> | null,
  status: number,
  headers: Readonly<Record<string, string>>,
): Response {
  return new Response(body, {
    status,
    headers: {
      ...COMMON_HEADERS,
      "content-type": "application/octet-stream",
      "content-security-policy": NOTHING,
      "content-disposition": "attachment",
      ...headers,
    },
  });
}

/** An error as JSON: `{error: code, message, ...data}`, with `Retry-After` where the error knows when. */
export function failure(
  error: MeshError,
  statuses: Partial<Record<ErrorCode, number>> = {},
): Response {
  const retryAfterMs = error.data.retry_after_ms;
  const headers: Record<string, string> = retryAfterMs === undefined
    ? {}
    : { "retry-after": String(Math.ceil(retryAfterMs / 1000)) };
  return json(
    { error: error.code, message: error.message, ...error.data },
    statusOf(error, statuses),
    headers,
  );
}

/** The HTTP status of an error on a route with these differences. */
export function statusOf(
  error: MeshError,
  statuses: Partial<Record<ErrorCode, number>> = {},
): number {
  return statuses[error.code] ?? ERRORS[error.code].http;
}
