/**
 * What followers of a stream hear. Types alone: clients of the agent read them too.
 */

/** Where a follower stands. */
export interface StreamPosition {
  readonly stream: string;
  readonly id: string;
  /** The first number that may come. */
  readonly from: number;
  /** The newest number; 0 before the first event. */
  readonly lastSeq: number;
  /** What was asked for and is not kept any more. */
  readonly gap: { readonly from: number; readonly to: number } | null;
}

/** An event of a stream; `data` comes from a peer. */
export interface StreamEventNews {
  readonly kind: "event";
  readonly stream: string;
  readonly seq: number;
  readonly data: unknown;
  /** As the publisher calls itself: not proved. */
  readonly publishedBy: string;
  /** The publisher's member key, as the broker says. */
  readonly publishedByKey: string;
  readonly publishedAt: string;
}

export type StreamNews =
  /** What follows begins with this number, whatever came before. */
  | { readonly kind: "begun"; readonly stream: string; readonly from: number }
  | StreamEventNews
  /** Events that are not kept any more, and never came. */
  | { readonly kind: "gap"; readonly stream: string; readonly from: number; readonly to: number }
  /** The stream was deleted; nothing comes any more. */
  | { readonly kind: "ended"; readonly stream: string };
