/**
 * The one shape in which every operation is declared. Types, parsers, authorisation, error lists, MCP tools, CLI verbs
 * and the reference pages are derived from it.
 */
import type * as z from "zod";
import type { ErrorCode } from "./errors.ts";

/** Who may call: any member, owners and admins, or the owner alone. */
export type Grant = "member" | "admin" | "owner";

/** Which token bucket a call draws from. */
export type RateClass = "send" | "request" | "free";

/** How an operation is offered to models. */
export interface ToolSpec {
  readonly name: string;
  /** "every": applied on every attached mesh; "one": on the chosen mesh. */
  readonly reach: "one" | "every";
  /** When to use the tool, for the model. */
  readonly description: string;
  /** Calling it changes nothing. */
  readonly readOnly?: true;
  /** Tool parameter -> input field, where the names differ. */
  readonly rename?: Readonly<Record<string, string>>;
  /** Input fields that are not offered as parameters. */
  readonly hide?: readonly string[];
}

/** How an operation is offered on the command line: `path` is "groups join", positionals are input fields in order. */
export interface VerbSpec {
  readonly path: string;
  readonly positionals: readonly string[];
  readonly examples: readonly string[];
}

/** An operation as data: the one declaration that everything else reads. */
export interface Op<
  Input extends z.ZodObject = z.ZodObject,
  Output extends z.ZodObject = z.ZodObject,
> {
  /** The request frame's `type`; frozen once released. */
  readonly wire: string;
  /** The answer's `type`. */
  readonly reply: string;
  /** True: without `_reqId` a success is not answered (the original's fire-and-forget frames). */
  readonly quiet?: true;
  readonly since: number;
  readonly summary: string;
  readonly grant: Grant;
  readonly rate: RateClass;
  /** How long clients wait for the answer, 5 s where it is absent. */
  readonly patienceMs?: number;
  /** The audit event of a mutation, null for reads. */
  readonly audit: string | null;
  /** Codes beside those that any operation may answer (`COMMON_FAILS`). */
  readonly fails: readonly ErrorCode[];
  readonly verb?: VerbSpec;
  readonly tool?: ToolSpec;
  readonly input: Input;
  readonly output: Output;
  readonly example: { readonly input: z.input<Input>; readonly output: z.input<Output> };
}

/** Of operations on a mesh's own database, which may have to be made and opened first. */
export const DATABASE_PATIENCE_MS = 45_000;

/** What any operation may fail with; an operation's `fails` adds to it, anything else becomes `internal`. */
export const COMMON_FAILS = [
  "malformed",
  "invalid_argument",
  "no_hello",
  "forbidden",
  "rate_limited",
  "too_large",
  "unavailable",
  "storage_full",
  "shutting_down",
  "internal",
] as const satisfies readonly ErrorCode[];

/** Declares an operation; returns it unchanged, typed. */
export function op<I extends z.ZodObject, O extends z.ZodObject>(spec: Op<I, O>): Op<I, O> {
  return spec;
}

/** The handlers of a feature: one function per operation, typed by its schemas. */
export type Handlers<Feature extends Record<string, Op>, Context> = {
  readonly [K in keyof Feature]: (
    context: Context,
    input: z.output<Feature[K]["input"]>,
  ) => Promise<z.input<Feature[K]["output"]>>;
};
