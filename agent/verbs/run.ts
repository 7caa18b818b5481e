/**
 * Runs the command line: finds the verb, checks its flags, does it, prints its answer, and turns errors into exit codes.
 */
import { Command, CommanderError, Option } from "commander";
import type { LocalClient } from "../core/local_client.ts";
import { printAnswer, printNotice } from "../ui/print.ts";
import { marks } from "../ui/style.ts";
import { exitCodeOf, reportFailure } from "./failure.ts";
import { allVerbs } from "./catalog.ts";
import type { Roles, Verb, VerbContext, VerbResult } from "./verb.ts";

const EXIT_ARGUMENTS = 3;

/** Builds the parser of all verbs; `onAction` is called with what was chosen and parsed. */
export function buildProgram(
  verbs: readonly Verb[],
  version: string,
  onAction: (verb: Verb, args: VerbContext["args"], flags: VerbContext["flags"]) => Promise<void>,
): Command {
  const program = new Command("claudemesh")
    .description("Lets AI coding sessions on different machines work together.")
    .version(`claudemesh ${version}`, "-V, --version", "print the version")
    .helpOption("-h, --help", "show help")
    .helpCommand(false)
    .showSuggestionAfterError(true)
    .configureOutput({ outputError: () => {} })
    .addHelpText("after", "\nRun `claudemesh <verb> --help` for a verb's flags and examples.")
    .exitOverride();
  for (const verb of verbs) addVerb(program, verb, onAction);
  return program;
}

function addVerb(
  program: Command,
  verb: Verb,
  onAction: Parameters<typeof buildProgram>[2],
): void {
  const words = verb.path.split(" ");
  let parent = program;
  for (const word of words.slice(0, -1)) {
    parent = parent.commands.find((each) => each.name() === word) ?? addGroup(parent, word);
  }
  const name = words.at(-1)!;
  const existing = parent.commands.find((each) => each.name() === name);
  const command = existing ?? parent.command(name).exitOverride();
  command.description(verb.summary).summary(verb.summary);
  for (const alias of verb.aliases ?? []) command.alias(alias);
  for (const argument of verb.args) {
    const shown = argument.variadic ? `${argument.name}...` : argument.name;
    command.argument(argument.required ? `<${shown}>` : `[${shown}]`, argument.summary);
  }
  for (const flag of verb.flags) {
    const option = new Option(flag.syntax, flag.summary);
    command.addOption(flag.choices ? option.choices([...flag.choices]) : option);
  }
  if (verb.json) command.option("--json", "print JSON for programs");
  const examples = verb.examples.map((example) => `  $ ${example}`).join("\n");
  const details = verb.details ? `\n${verb.details}\n` : "";
  command.addHelpText("after", `${details}\nExamples:\n${examples}`);
  command.action(async (...received: unknown[]) => {
    const args = received.slice(0, verb.args.length) as VerbContext["args"];
    await onAction(verb, args, command.opts());
  });
}

function addGroup(parent: Command, word: string): Command {
  return parent.command(word).exitOverride().description(`${word}: see its verbs`);
}

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
  try {
    const program = buildProgram(await allVerbs(argv), version, async (verb, args, flags) => {
      exit = await perform(verb, {
        args,
        flags,
        json: flags.json === true,
        roles,
        version,
        agent: (options) => openAgent(version, options),
      });
    });
    if (argv.length === 0) program.outputHelp();
    else await program.parseAsync([...argv], { from: "user" });
    return exit;
  } catch (error) {
    if (error instanceof CommanderError) return reportUsage(error, json);
    reportFailure(error, json);
    return exitCodeOf(error);
  }
}

async function openAgent(version: string, options: { start?: boolean } = {}): Promise<LocalClient> {
  const { connectAgent } = await import("../core/agent_launch.ts");
  const { homePaths } = await import("../home/paths.ts");
  const { selfCommand } = await import("../home/self_command.ts");
  const paths = homePaths();
  const client = await connectAgent({
    socketPath: paths.socketPath,
    command: selfCommand(["agent"]),
    version,
    logPath: paths.logFile,
  }, options);
  if (client.warning !== null) printNotice(`${marks.warning()} ${client.warning}`);
  return client;
}

async function perform(verb: Verb, context: VerbContext): Promise<number | null> {
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
    const envelope = { schema_version: "1.0", ok: exit === 0, ...result.data };
    printAnswer(JSON.stringify(envelope, null, 2));
    return exit;
  }
  if (result.text !== "") printAnswer(result.text);
  if (result.notice) printNotice(result.notice);
  return exit;
}

/** Commander's help and version are no failures; everything else is a wrong command line. */
function reportUsage(error: CommanderError, json: boolean): number {
  if (error.exitCode === 0 || error.code === "commander.help") return error.exitCode === 0 ? 0 : 3;
  const [first, ...rest] = error.message.replace(/^error: /, "").split("\n");
  const suggestion = rest.join(" ").trim().replace(/^\(|\)$/g, "");
  reportFailure(
    {
      code: "invalid_argument",
      message: first ?? "wrong arguments",
      hint: suggestion || "See `claudemesh --help`",
    },
    json,
  );
  return EXIT_ARGUMENTS;
}
