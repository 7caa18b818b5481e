/**
 * Gets a client a running agent: connects, starts the agent when none runs, and replaces one of an older version as long
 * as no session is attached to it.
 */
import { type LocalClient, openLocal } from "./local_client.ts";
import { LocalError } from "./local_error.ts";
import { LOCAL_API_REVISION } from "./local_wire.ts";

/** Where this user's agent listens and how this program is started again as the agent. */
export interface AgentPlace {
  readonly socketPath: string;
  /** Program and arguments that run the `agent` role. */
  readonly command: readonly string[];
  /** Added to the environment of the agent. */
  readonly environment?: Readonly<Record<string, string>>;
  /** The version of this program, `major.minor.patch`. */
  readonly version: string;
  /** Where a failed start has left its reason. */
  readonly logPath: string;
}

export interface ConnectOptions {
  /** False: fail with `agent_not_running` instead of starting it. */
  readonly start?: boolean;
  readonly startTimeoutMs?: number;
}

const START_TIMEOUT_MS = 10_000;
const STOP_TIMEOUT_MS = 10_000;
const FIRST_PAUSE_MS = 4;
const LONGEST_PAUSE_MS = 64;
const RELAUNCH_PAUSE_MS = 200;
/** The exit code of an agent that finds another one running. */
const EXIT_ALREADY_RUNS = 6;

/** Returns a negative number when `left` is the older version, a positive one when newer, 0 when equal. */
export function compareVersions(left: string, right: string): number {
  const [a, b] = [left, right].map((each) => each.split(/[.+-]/).slice(0, 3).map(Number));
  for (let index = 0; index < 3; index++) {
    const difference = (a?.[index] || 0) - (b?.[index] || 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/**
 * Connects to the agent at `place`, which is started when none runs.
 * @throws {LocalError} `agent_not_running`, `agent_start_failed`, `agent_outdated` or `program_outdated`.
 */
export async function connectAgent(
  place: AgentPlace,
  options: ConnectOptions = {},
): Promise<LocalClient> {
  const running = await openLocal(place.socketPath);
  if (running === null) return await startOrFail(place, options);
  const age = compareVersions(running.greeting.version, place.version);
  const speaksOurs = running.greeting.revision === LOCAL_API_REVISION;
  if (age >= 0 && speaksOurs) return running;
  if (age < 0 && running.greeting.sessions === 0 && options.start !== false) {
    await stopAgent(running);
    return await startOrFail(place, options);
  }
  if (speaksOurs) return withWarning(running, place.version);
  await running.close();
  throw incompatible(running.greeting.version, place.version, age);
}

/** Asks the agent behind `client` to stop and waits until it has. */
export async function stopAgent(client: LocalClient): Promise<void> {
  await client.call("agent.stop", {}, { timeoutMs: STOP_TIMEOUT_MS });
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const message =
        `The agent (pid ${client.greeting.pid}) did not stop in ${STOP_TIMEOUT_MS} ms`;
      reject(new LocalError("agent_busy", message, { hint: "End that process, then try again" }));
    }, STOP_TIMEOUT_MS);
  });
  try {
    await Promise.race([client.closed, late]);
  } finally {
    clearTimeout(timer);
  }
}

async function startOrFail(place: AgentPlace, options: ConnectOptions): Promise<LocalClient> {
  if (options.start === false) {
    throw new LocalError("agent_not_running", "The agent does not run", {
      hint: "Any verb that needs it starts it; or run `claudemesh agent`",
    });
  }
  const timeoutMs = options.startTimeoutMs ?? START_TIMEOUT_MS;
  const deadlineMs = Date.now() + timeoutMs;
  let started = launch(place);
  let pauseMs = FIRST_PAUSE_MS;
  for (;;) {
    // Asked after the end was seen: an agent that was started in the same moment listens by then.
    const ended = started.end;
    const client = await openLocal(place.socketPath);
    if (client !== null) {
      // One that was started in vain must not come up later, when this one has been stopped.
      if (client.greeting.pid !== started.pid) started.abandon();
      return client;
    }
    if (ended !== null) {
      // Another one holds the home's lock: it starts, or is about to end. Any other end is a failure.
      if (ended.code !== EXIT_ALREADY_RUNS) throw startFailed(place, ended.reason);
      started = launch(place);
      pauseMs = RELAUNCH_PAUSE_MS;
    }
    if (Date.now() > deadlineMs) throw startFailed(place, `it was not ready in ${timeoutMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
    pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
  }
}

interface StartedAgent {
  pid: number | undefined;
  /** Set once it has ended, or could not be started at all. */
  end: { readonly code: number | null; readonly reason: string } | null;
  /** Ends it where it still runs. */
  abandon(): void;
}

/** Starts the agent so that it outlives this process. */
function launch(place: AgentPlace): StartedAgent {
  const [program, ...args] = place.command;
  if (program === undefined) throw new LocalError("agent_start_failed", "No program to start");
  const started: StartedAgent = { pid: undefined, end: null, abandon: () => {} };
  let child: Deno.ChildProcess;
  try {
    child = new Deno.Command(program, {
      args,
      detached: true,
      stdin: "null",
      stdout: "null",
      stderr: "null",
      // Not the folder of whoever happened to start it.
      ...(Deno.build.os === "windows" ? {} : { cwd: "/" }),
      env: { ...place.environment },
    }).spawn();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { ...started, end: { code: null, reason } };
  }
  child.unref();
  started.pid = child.pid;
  started.abandon = () => {
    if (started.end === null) child.kill("SIGTERM");
  };
  void child.status.then(({ code, signal }) => {
    started.end = { code, reason: `it ended with ${signal ?? `code ${code}`}` };
  });
  return started;
}

function startFailed(place: AgentPlace, reason: string): LocalError {
  return new LocalError("agent_start_failed", `The agent could not be started: ${reason}`, {
    hint: `Run \`claudemesh doctor\`, or see "${place.logPath}"`,
  });
}

function incompatible(agent: string, own: string, age: number): LocalError {
  if (age < 0) {
    return new LocalError(
      "agent_outdated",
      `The running agent is of version ${agent}, not ${own}`,
      {
        hint: "Close the sessions that use it, or run `claudemesh agent stop`",
      },
    );
  }
  return new LocalError(
    "program_outdated",
    `This program (${own}) is older than the agent (${agent})`,
    {
      hint: "Update this program, or stop the agent with `claudemesh agent stop` of the newer one",
    },
  );
}

/** The same client with a word about the version; its methods keep their receiver. */
function withWarning(client: LocalClient, version: string): LocalClient {
  const warning =
    `The agent still runs version ${client.greeting.version}, not ${version}, because sessions use it; ` +
    "`claudemesh agent stop` lets the next command start the new one";
  return {
    greeting: client.greeting,
    warning,
    closed: client.closed,
    call: (method, params, options) => client.call(method, params, options),
    onEvent: (listener) => client.onEvent(listener),
    close: () => client.close(),
  };
}
