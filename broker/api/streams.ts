/**
 * Named live data streams: events with a number each, of which the newest are kept. Frames: reference protocol 2.10 and
 * 3.4; numbers, history, gaps and deletion are ours (D50).
 */
import * as z from "zod";
import { event } from "./event.ts";
import { anyJson, isoTime, publicKey } from "./fields.ts";
import { LIMITS } from "./limits.ts";
import { op } from "./op.ts";

/** A stream's name as requests give it. */
export const streamName = z.string().max(LIMITS.streamNameChars.value).regex(
  /^[A-Za-z0-9][A-Za-z0-9._/-]*$/,
  "must be letters, digits, . _ - or /, and begin with a letter or digit",
);
const stream = streamName.describe("Stream name.");
const name = "builds";
const id = "A1b2C3d4E5f6G7h8A1b2C3d4E5f6G7h8";
const key = "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c";
const at = "2026-11-21T10:00:00.000Z";
const seq = z.int().min(1);

const streamEvent = z.object({
  seq: seq.describe("Counts from 1 without holes, per stream."),
  data: anyJson,
  publishedBy: z.string().describe("Display name of the publishing session."),
  publishedByKey: publicKey.describe("The publisher's member key."),
  publishedAt: isoTime,
});
export type StreamEvent = z.infer<typeof streamEvent>;
const eventExample = {
  seq: 7,
  data: { job: "api", ok: true },
  publishedBy: "Ada",
  publishedByKey: key,
  publishedAt: at,
};

const gap = z.object({ from: seq, to: seq });

export const streams = {
  createStream: op({
    wire: "create_stream",
    reply: "stream_created",
    since: 1,
    summary: "Open a named data stream; one that exists is left as it is.",
    grant: "member",
    rate: "request",
    audit: "stream_created",
    fails: ["limit"],
    verb: {
      path: "stream create",
      positionals: ["name"],
      examples: ["claudemesh stream create builds"],
    },
    tool: {
      name: "create_stream",
      reach: "one",
      description: "Open a named data stream, for events that many peers may follow.",
    },
    input: z.object({ name: stream }),
    output: z.object({
      id: z.string(),
      name: z.string(),
      created: z.boolean().describe("False when it was there before."),
    }),
    example: { input: { name }, output: { id, name, created: true } },
  }),
  publish: op({
    wire: "publish",
    reply: "published",
    quiet: true,
    since: 1,
    summary: "Append one event to a stream; answered after the commit, with the event's number.",
    grant: "member",
    rate: "request",
    audit: "stream_published",
    fails: ["limit"],
    tool: {
      name: "publish",
      reach: "one",
      description:
        "Append one event to a stream, which is made if there is none. Subscribers get it at once; the newest are kept.",
    },
    input: z.object({ stream, data: anyJson.describe("Any JSON value.") }),
    output: z.object({
      stream: z.string(),
      seq,
      created: z.boolean().describe("The stream was made by this event."),
    }),
    example: {
      input: { stream: name, data: { job: "api", ok: true } },
      output: { stream: name, seq: 7, created: false },
    },
  }),
  subscribe: op({
    wire: "subscribe",
    reply: "subscribed",
    since: 1,
    summary: "Get a stream's events as `stream_data` frames on this connection, in their order.",
    grant: "member",
    rate: "request",
    audit: null,
    fails: ["not_found", "limit"],
    tool: {
      name: "subscribe",
      reach: "one",
      description:
        "Follow a stream: its events come as channel events into this session. from: 1 begins with the oldest kept.",
      hide: ["includeOwn"],
    },
    input: z.object({
      stream,
      from: seq.optional().describe("First event number wanted; left out: only what comes."),
      includeOwn: z.boolean().default(false).describe("This connection's own events too."),
    }),
    output: z.object({
      stream: z.string(),
      id: z.string(),
      from: seq.describe("The first number that may come."),
      lastSeq: z.int().describe("The newest number; 0 before the first event."),
      gap: gap.nullable().describe("What was asked for and is not kept any more."),
    }),
    example: {
      input: { stream: name, from: 3 },
      output: { stream: name, id, from: 3, lastSeq: 7, gap: null },
    },
  }),
  unsubscribe: op({
    wire: "unsubscribe",
    reply: "unsubscribed",
    quiet: true,
    since: 1,
    summary: "Get no more events of a stream on this connection.",
    grant: "member",
    rate: "request",
    audit: null,
    fails: [],
    input: z.object({ stream }),
    output: z.object({
      stream: z.string(),
      subscribed: z.boolean().describe("It was subscribed before."),
    }),
    example: { input: { stream: name }, output: { stream: name, subscribed: true } },
  }),
  listStreams: op({
    wire: "list_streams",
    reply: "stream_list",
    since: 1,
    summary: "List the mesh's streams.",
    grant: "member",
    rate: "request",
    audit: null,
    fails: [],
    input: z.object({}),
    output: z.object({
      streams: z.array(z.object({
        id: z.string(),
        name: z.string(),
        createdBy: z.string(),
        createdAt: isoTime,
        subscriberCount: z.int().describe("Connections that follow it."),
        firstSeq: z.int().describe("The oldest number that is kept."),
        lastSeq: z.int().describe("The newest number; 0 before the first event."),
        lastPublishedAt: isoTime.nullable(),
        subscribed: z.boolean().describe("This connection follows it."),
      })),
    }),
    example: {
      input: {},
      output: {
        streams: [{
          id,
          name,
          createdBy: "Ada",
          createdAt: at,
          subscriberCount: 1,
          firstSeq: 1,
          lastSeq: 7,
          lastPublishedAt: at,
          subscribed: false,
        }],
      },
    },
  }),
  streamHistory: op({
    wire: "stream_history",
    reply: "stream_events",
    since: 3,
    summary:
      "Read kept events of a stream, oldest first; the newest ones unless told where to begin.",
    grant: "member",
    rate: "request",
    audit: null,
    fails: ["not_found"],
    input: z.object({
      stream,
      from: seq.optional().describe("First event number; left out: the newest `limit`."),
      limit: z.int().min(1).max(LIMITS.streamHistoryEvents.value).default(50).describe(
        "At most this many.",
      ),
    }),
    output: z.object({
      stream: z.string(),
      firstSeq: z.int().describe("The oldest number that is kept."),
      lastSeq: z.int().describe("The newest number; 0 before the first event."),
      next: seq.nullable().describe("Where to read on; null at the end."),
      events: z.array(streamEvent),
    }),
    example: {
      input: { stream: name, from: 7 },
      output: { stream: name, firstSeq: 1, lastSeq: 7, next: null, events: [eventExample] },
    },
  }),
  deleteStream: op({
    wire: "delete_stream",
    reply: "stream_removed",
    since: 3,
    summary: "Delete a stream with its events; for who made it, owners and admins.",
    grant: "member",
    rate: "request",
    audit: "stream_deleted",
    fails: ["not_found"],
    verb: {
      path: "stream delete",
      positionals: ["stream"],
      examples: ["claudemesh stream delete builds"],
    },
    input: z.object({ stream }),
    output: z.object({ stream: z.string(), id: z.string() }),
    example: { input: { stream: name }, output: { stream: name, id } },
  }),
};

export const streamsEvents = {
  streamData: event({
    wire: "stream_data",
    name: null,
    since: 1,
    summary: "An event of a stream that this connection follows; in order, each once.",
    data: streamEvent.extend({ stream: z.string() }),
    example: { stream: name, ...eventExample },
  }),
  streamGap: event({
    wire: "stream_gap",
    name: null,
    since: 3,
    summary:
      "Events that this connection did not get: it read too slowly, and they are not kept any more.",
    data: gap.extend({ stream: z.string() }),
    example: { stream: name, from: 8, to: 20 },
  }),
  streamEnded: event({
    wire: "stream_ended",
    name: null,
    since: 3,
    summary: "A stream that this connection follows was deleted.",
    data: z.object({ stream: z.string(), id: z.string() }),
    example: { stream: name, id },
  }),
};
