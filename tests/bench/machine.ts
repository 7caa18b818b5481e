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

/** Processor time since the machine started, in ticks over all cores. */
interface ProcessorUse {
  readonly total: number;
  readonly busy: number;
  /** Of this process and of those it started that have ended. */
  readonly own: number;
}

/**
 * Runs `work` and tells what share of the processor (0 to 1) others used meanwhile. What `work` starts must have ended
 * with it, or counts as others'.
 */
export async function withLoadOfOthers<T>(
  work: () => Promise<T>,
): Promise<{ result: T; loadOfOthers: number }> {
  const before = await processorUse();
  const result = await work();
  const after = await processorUse();
  const others = (after.busy - before.busy) - (after.own - before.own);
  const total = after.total - before.total;
  return { result, loadOfOthers: total === 0 ? 0 : Math.max(0, others / total) };
}

/** Waits until others use little of the processor, at most `limitMs`. */
export async function quietMoment(limitMs: number): Promise<void> {
  const endsAt = performance.now() + limitMs;
  while (performance.now() < endsAt) {
    const { loadOfOthers } = await withLoadOfOthers(() => pause(1_000));
    if (loadOfOthers < QUIET_LOAD) return;
  }
}

async function processorUse(): Promise<ProcessorUse> {
  const [line = ""] = (await Deno.readTextFile("/proc/stat")).split("\n");
  const ticks = line.split(/\s+/).slice(1, 9).map(Number);
  const total = ticks.reduce((sum, each) => sum + each, 0);
  // Idle and waiting for the disk are the fourth and fifth column of proc(5).
  const busy = total - (ticks[3] ?? 0) - (ticks[4] ?? 0);
  const stat = await Deno.readTextFile("/proc/self/stat");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  // Fields 14 to 17: in user and kernel mode, its own and its ended children's.
  const own = fields.slice(11, 15).reduce((sum, each) => sum + Number(each), 0);
  return { total, busy, own };
}
