/**
 * The one shape of frames that the broker sends unasked.
 */
import type * as z from "zod";

/** An event as data. */
export interface EventSpec<Data extends z.ZodObject = z.ZodObject> {
  /** The frame's `type`; system events travel as `push` with `subtype: "system"` and their name in `event`. */
  readonly wire: string;
  /** The system event's name; null for frames of their own. */
  readonly name: string | null;
  readonly since: number;
  readonly summary: string;
  /** The whole frame's fields, or `eventData` of a system event. */
  readonly data: Data;
  readonly example: z.input<Data>;
}

/** Declares an event; returns it unchanged, typed. */
export function event<D extends z.ZodObject>(spec: EventSpec<D>): EventSpec<D> {
  return spec;
}
