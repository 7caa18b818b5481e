/**
 * Runs the command line: finds the verb, checks its flags, does it, prints its answer, and turns errors into exit codes.
 */
import { type Command, CommanderError } from "commander";
import type { LocalClient } from "../core/local_client.ts";
import { printAnswer, printJson, printNotice } from "../ui/print.ts";
import { marks } from "../ui/style.ts";
import { exitCodeOf, reportFailure } from "./failure.ts";
import { allVerbs } from "./catalog.ts";
import { buildProgram } from "./program.ts";
import type { Roles, Verb, VerbContext, VerbResult } from "./verb.ts";

const EXIT_CANCELLED = 1;
const EXIT_ARGUMENTS = 3;

/**
 * Runs the verb that `argv` names.
 * @returns the exit code, or null when a role goes on running.
 */
export async function runVerb(
  argv: readonly string[],
  roles: Roles,
  version: string,
): Promise<number | null> {
  const json = argv.includes("--json");
  let exit: number | null = 0;
  let program: Command | null = null;
  try {
    program = buildProgram(await allVerbs(argv), version, async (verb, args, flags) => {
      exit = await perform(verb, {
        args,
        flags,
        json: flags.json === true,
        roles,
        version,
        agent: (options) => openAgent(version, options),
        atCancel: () => {},
      });
    });
    await program.parseAsync([...argv], { from: "user" });
    return exit;
  } catch (error) {
    if (error instanceof CommanderError) return reportUsage(error, json, program, argv);
    reportFailure(error, json);
    return exitCodeOf(error);
  }
}

async function openAgent(version: string, options: { start?: boolean } = {}): Promise<LocalClient> {
  const { connectAgent } = await import("../core/agent_launch.ts");
  const { homePaths } = await import("../home/paths.ts");
  const { selfCommand } = await import("../home/self_command.ts");
  const { readConfig } = await import("../home/config_file.ts");
  const paths = homePaths();
  // The agent would not start on a file that it cannot read; here the user hears which, and why.
  readConfig(paths);
  const client = await connectAgent({
    socketPath: paths.socketPath,
    command: selfCommand(["agent"]),
    version,
    logPath: paths.logFile,
  }, options);
  if (client.warning !== null) printNotice(`${marks.warning()} ${client.warning}`);
  return client;
}

/** Does the verb and prints its answer. Whoever interrupts it gets exit code 1; roles end in their own way. */
async function perform(verb: Verb, context: VerbContext): Promise<number | null> {
  const cleanups: (() => Promise<void>)[] = [];
  const cancel = async () => {
    await Promise.allSettled(cleanups.map((work) => work()));
    Deno.exit(EXIT_CANCELLED);
  };
  if (!verb.json) return await answer(verb, context);
  Deno.addSignalListener("SIGINT", cancel);
  try {
    return await answer(verb, { ...context, atCancel: (work) => cleanups.push(work) });
  } finally {
    Deno.removeSignalListener("SIGINT", cancel);
  }
}

async function answer(verb: Verb, context: VerbContext): Promise<number | null> {
  const opened: LocalClient[] = [];
  const agent: VerbContext["agent"] = async (options) => {
    const client = await context.agent(options);
    opened.push(client);
    return client;
  };
  let result: VerbResult | null;
  try {
    result = await verb.run({ ...context, agent });
  } finally {
    await Promise.all(opened.map((client) => client.close()));
  }
  if (result === null) return null;
  const exit = result.exit ?? 0;
  if (context.json) {
    printJson({ schema_version: "1.0", ok: exit === 0, ...result.data });
    return exit;
  }
  if (result.text !== "") printAnswer(result.text);
  if (result.notice) printNotice(result.notice);
  return exit;
}

/** Commander's help and version are no failures; everything else is a wrong command line. */
function reportUsage(
  error: CommanderError,
  json: boolean,
  program: Command | null,
  argv: readonly string[],
): number {
  if (error.exitCode === 0 || error.code === "commander.help") return error.exitCode === 0 ? 0 : 3;
  const [first, ...rest] = error.message.replace(/^error: /, "").split("\n");
  const command = program === null ? null : commandOf(program, argv);
  const suggestion = rest.join(" ").trim().replace(/^\(|\)$/g, "") || longerFlag(error, command);
  const path = command === null ? "claudemesh" : pathOf(command);
  reportFailure(
    {
      code: "invalid_argument",
      message: first ?? "wrong arguments",
      hint: suggestion || `See \`${path} --help\``,
    },
    json,
  );
  return EXIT_ARGUMENTS;
}

/** The command that the first words name. */
function commandOf(program: Command, argv: readonly string[]): Command {
  let command = program;
  for (const word of argv) {
    const next = command.commands.find((each) =>
      each.name() === word || each.aliases().includes(word)
    );
    if (next === undefined) break;
    command = next;
  }
  return command;
}

function pathOf(command: Command): string {
  return command.parent ? `${pathOf(command.parent)} ${command.name()}` : command.name();
}

/** Commander suggests what is spelt alike; a flag that was cut short is not, to it. */
function longerFlag(error: CommanderError, command: Command | null): string {
  const [, begun] = /unknown option '(--[^'=]+)/.exec(error.message) ?? [];
  if (begun === undefined || command === null) return "";
  const longer = command.options.map((option) => option.long ?? "")
    .filter((long) => long.startsWith(begun));
  return longer.length === 0 ? "" : `Did you mean ${longer.join(" or ")}?`;
}
