/**
 * Schemas of fields that several frames share: keys, ids, names, groups, priorities.
 */
import * as z from "zod";
import { BASE64_PATTERN, isBase64Text } from "./base64_text.ts";
import { LIMITS } from "./limits.ts";

const GROUP_PATTERN = /^[a-z0-9][a-z0-9_-]{0,63}(\/[a-z0-9][a-z0-9_-]{0,63}){0,7}$/i;

export const publicKey = z.string().regex(
  /^[0-9a-f]{64}$/,
  "must be a key: 64 lower-case hex digits",
);
export const signature = z.string().regex(/^[0-9a-fA-F]{128}$/);
export const base64 = z.string().refine(isBase64Text, "must be base64").meta({
  pattern: BASE64_PATTERN,
});
export const id = z.string().min(1).max(64).regex(/^[A-Za-z0-9_-]+$/);
export const clientMessageId = z.string().min(1).max(128).regex(/^[A-Za-z0-9._:-]+$/);
/** A name as people see it: no control or direction characters, no leading or trailing space. */
export const displayName = z.string().min(1).max(LIMITS.displayNameChars.value).regex(
  // deno-lint-ignore no-control-regex -- control characters are what it keeps out
  /^(?!\s)[^\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]*(?<!\s)$/,
  "must have no control characters, and no blank at either end",
);
export const groupName = z.string().regex(
  GROUP_PATTERN,
  "must be letters, digits, - or _, with slashes between at most 8 levels",
);
export const group = z.object({
  name: groupName.describe("Group name without the leading @; slashes form a hierarchy."),
  role: z.string().max(64).optional().describe("Free-form role inside the group."),
});
export const groups = z.array(group).max(LIMITS.groups.value);
export const priority = z.enum(["now", "next", "low"]);
export const status = z.enum(["idle", "working", "dnd"]);
export const role = z.enum(["owner", "admin", "member"]);
export const custody = z.enum(["members", "broker"]);
export const messageMode = z.enum(["push", "inbox", "off"]);
/** Any JSON value; frames are parsed JSON, so nothing else can come. */
export const anyJson = z.unknown().refine((value) => value !== undefined, "must be given");
export const milliseconds = z.int().nonnegative();
export const isoTime = z.string().max(40);
export const slug = z.string().regex(
  /^[a-z0-9][a-z0-9-]{1,31}$/,
  "must be 2 to 32 lower-case letters, digits or hyphens",
);
export const target = z.string().min(1).max(600).describe(
  "A member or session key, a display name, `@group`, `@all` or `*`.",
);

/** What a peer lets another member do (reference protocol 5.5). */
export const CAPABILITIES = [
  "read",
  "dm",
  "broadcast",
  "state-read",
  "state-write",
  "file-read",
] as const;
export const capability = z.enum(CAPABILITIES);
export type Capability = z.infer<typeof capability>;
/** What a member that was granted nothing in particular may do. */
export const DEFAULT_CAPABILITIES: readonly Capability[] = [
  "read",
  "dm",
  "broadcast",
  "state-read",
  "state-write",
];

export type Priority = z.infer<typeof priority>;
export type Status = z.infer<typeof status>;
export type Role = z.infer<typeof role>;
export type Custody = z.infer<typeof custody>;
export type Group = z.infer<typeof group>;
export type MessageMode = z.infer<typeof messageMode>;

/** Returns `name` and its ancestors: `a/b/c` gives `a/b/c`, `a/b`, `a`, in lower case. */
export function groupAndAncestors(name: string): string[] {
  const parts = name.toLowerCase().split("/");
  return parts.map((_, index) => parts.slice(0, parts.length - index).join("/"));
}
