/**
 * A mesh's simulated time. Frames: reference protocol 2.15. Owners and admins control it; in the original anybody could
 * (D13, D51).
 */
import * as z from "zod";
import { event } from "./event.ts";
import { isoTime } from "./fields.ts";
import { LIMITS } from "./limits.ts";
import { op } from "./op.ts";

const speed = z.number().min(1).max(LIMITS.clockSpeed.value);
const tick = z.int().nonnegative().describe("Whole simulated minutes since the start.");

const status = z.object({
  speed: z.number().describe("How many times faster than real time; 0 before it was set."),
  paused: z.boolean(),
  tick,
  simTime: isoTime.describe("The simulated time now."),
  startedAt: isoTime.describe("Where simulated time began, at real time then."),
  state: z.enum(["not_started", "running", "paused"]),
});
export type ClockStatus = z.infer<typeof status>;

const example: ClockStatus = {
  speed: 10,
  paused: false,
  tick: 42,
  simTime: "2026-11-21T10:42:00.000Z",
  startedAt: "2026-11-21T10:00:00.000Z",
  state: "running",
};

export const simulationClock = {
  getClock: op({
    wire: "get_clock",
    reply: "clock_status",
    since: 3,
    summary: "Tell the mesh's simulated time.",
    grant: "member",
    rate: "request",
    audit: null,
    fails: [],
    verb: { path: "clock", positionals: [], examples: ["claudemesh clock"] },
    tool: {
      name: "mesh_clock",
      reach: "one",
      readOnly: true,
      description: "Read the mesh's simulation clock: state, speed, tick, simulated time.",
    },
    input: z.object({}),
    output: status,
    example: { input: {}, output: example },
  }),
  setClock: op({
    wire: "set_clock",
    reply: "clock_status",
    since: 3,
    summary: "Start the mesh's simulated time or change its speed; a paused clock stays paused.",
    grant: "admin",
    rate: "request",
    audit: "clock_set",
    fails: [],
    verb: { path: "clock set", positionals: ["speed"], examples: ["claudemesh clock set 10"] },
    tool: {
      name: "mesh_set_clock",
      reach: "one",
      description:
        "Start the simulation clock or change its speed (owners and admins); peers then get its ticks.",
    },
    input: z.object({
      speed: speed.describe("1 to 100: at 1 a tick comes every 60 s, at 100 every 0.6 s."),
    }),
    output: status,
    example: { input: { speed: 10 }, output: example },
  }),
  pauseClock: op({
    wire: "pause_clock",
    reply: "clock_status",
    since: 3,
    summary: "Stop the mesh's simulated time until it is resumed.",
    grant: "admin",
    rate: "request",
    audit: "clock_paused",
    fails: ["no_clock"],
    verb: { path: "clock pause", positionals: [], examples: ["claudemesh clock pause"] },
    tool: {
      name: "mesh_pause_clock",
      reach: "one",
      description: "Halt the simulation clock's ticks (owners and admins).",
    },
    input: z.object({}),
    output: status,
    example: { input: {}, output: { ...example, paused: true, state: "paused" } },
  }),
  resumeClock: op({
    wire: "resume_clock",
    reply: "clock_status",
    since: 3,
    summary: "Let the mesh's simulated time go on from where it stopped.",
    grant: "admin",
    rate: "request",
    audit: "clock_resumed",
    fails: ["no_clock"],
    verb: { path: "clock resume", positionals: [], examples: ["claudemesh clock resume"] },
    tool: {
      name: "mesh_resume_clock",
      reach: "one",
      description: "Let a halted simulation clock run on (owners and admins).",
    },
    input: z.object({}),
    output: status,
    example: { input: {}, output: example },
  }),
};

export const simulationClockEvents = {
  tick: event({
    wire: "push",
    name: "tick",
    since: 3,
    summary: "A simulated minute has passed; after a delay the newest tick alone is told.",
    data: z.object({ tick, simTime: isoTime, speed: z.number() }),
    example: { tick: 42, simTime: "2026-11-21T10:42:00.000Z", speed: 10 },
  }),
};
