/**
 * What a simulation plays: who is there, what is sent to whom, how narrow the bounds are.
 */
import { defaultLimits, type Limits } from "../../broker/api/limits.ts";
import type { PeerRole } from "../../broker/core/model.ts";
import type { SeededRandom } from "./seeded_random.ts";

export interface SessionPlan {
  readonly id: string;
  readonly role: PeerRole;
  readonly pubkey: string | null;
  readonly groups: readonly string[];
}

export interface AgentPlan {
  /** The member's number. */
  readonly number: number;
  /** The first one carries what the agent sends. */
  readonly sessions: readonly SessionPlan[];
  /** Members of which it wants nothing. */
  readonly blocks: readonly number[];
  readonly messages: number;
}

export interface SimPlan {
  readonly agents: readonly AgentPlan[];
  readonly limits: Limits;
  readonly payloadCacheBytes: number;
  /** How long faults happen. */
  readonly troubleMs: number;
  readonly storeFaultRate: number;
  readonly crashes: number;
}

const GROUPS = ["ops", "ops/db", "ops/db/backup", "web"];

/** Makes the plan of a seed. */
export function simPlan(random: SeededRandom): SimPlan {
  const count = random.between(2, 6);
  const agents: AgentPlan[] = [];
  for (let number = 1; number <= count; number++) {
    agents.push({
      number,
      sessions: sessionPlans(random, number),
      blocks: random.chance(0.15) ? [random.between(1, count)].filter((n) => n !== number) : [],
      messages: random.between(0, 40),
    });
  }
  return {
    agents,
    limits: simLimits(random),
    payloadCacheBytes: random.chance(0.5) ? 8_000 : 64_000_000,
    troubleMs: random.between(20_000, 120_000),
    storeFaultRate: random.pick([0, 0.005, 0.05]),
    crashes: random.between(0, 5),
  };
}

function sessionPlans(random: SeededRandom, number: number): SessionPlan[] {
  const plans: SessionPlan[] = [];
  // Without an agent's connection a session is a client of its own.
  const hasAgent = random.chance(0.8);
  if (hasAgent) plans.push({ id: "agent", role: "control-plane", pubkey: null, groups: [] });
  const sessions = hasAgent ? random.between(0, 2) : 1;
  for (let index = 1; index <= sessions; index++) {
    plans.push({
      id: `s${index}`,
      role: "session",
      pubkey: (number * 16 + index).toString(16).padStart(64, "b"),
      groups: GROUPS.filter(() => random.chance(0.3)),
    });
  }
  return plans;
}

function simLimits(random: SeededRandom): Limits {
  const limits = { ...defaultLimits() };
  if (random.chance(0.3)) limits.queuedMessages = random.between(3, 12);
  if (random.chance(0.2)) limits.queuedBytes = random.between(1_000, 4_000);
  if (random.chance(0.2)) limits.messageLifeMs = random.between(20_000, 60_000);
  return limits;
}

/** Picks a target that somebody may be behind. */
export function simTarget(random: SeededRandom, agents: readonly AgentPlan[]): string {
  if (random.chance(0.2)) return random.pick(["*", "@all"]);
  if (random.chance(0.25)) return `@${random.pick(GROUPS)}`;
  const { number, sessions } = random.pick(agents);
  const session = random.pick(sessions);
  return random.chance(0.3) && session.pubkey !== null
    ? session.pubkey
    : number.toString(16).padStart(64, "a");
}
