/**
 * What the figures were measured on, without names of machines or paths.
 */
import { availableParallelism, cpus, totalmem } from "node:os";
import { setTimeout as pause } from "node:timers/promises";

export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly memoryGib: number;
  readonly system: string;
  readonly deno: string;
  readonly v8: string;
}

/** A figure measured while others use more than this is marked as noisy. */
export const QUIET_LOAD = 0.15;

/** Describes this machine. */
export function describeMachine(): Machine {
  return {
    processor: cpus()[0]?.model.trim() ?? "unknown",
    cores: availableParallelism(),
    memoryGib: Math.round(totalmem() / 1_073_741_824),
    system: `${Deno.build.os} ${Deno.osRelease().split("-")[0]} ${Deno.build.arch}`,
    deno: Deno.version.deno,
    v8: Deno.version.v8,
  };
}

/** The share of the processor (0 to 1) that is in use during one second: others' load, while nothing runs here. */
export async function loadOfOthers(): Promise<number> {
  const before = await processorTicks();
  await pause(1_000);
  const after = await processorTicks();
  const total = after.total - before.total;
  return total === 0 ? 0 : 1 - (after.idle - before.idle) / total;
}

/**
 * Waits until others use little of the processor, at most `limitMs`.
 * @returns the share that they use now.
 */
export async function quietMoment(limitMs: number): Promise<number> {
  const endsAt = performance.now() + limitMs;
  for (;;) {
    const load = await loadOfOthers();
    if (load < QUIET_LOAD || performance.now() >= endsAt) return load;
  }
}

async function processorTicks(): Promise<{ total: number; idle: number }> {
  const [line = ""] = (await Deno.readTextFile("/proc/stat")).split("\n");
  const ticks = line.split(/\s+/).slice(1, 9).map(Number);
  // Idle and waiting for the disk are the fourth and fifth column of proc(5).
  const idle = (ticks[3] ?? 0) + (ticks[4] ?? 0);
  return { total: ticks.reduce((sum, each) => sum + each, 0), idle };
}
