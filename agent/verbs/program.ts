/**
 * The parser of the command line, made from the verbs: names, aliases, flags, `--help`.
 */
import { Command, Option } from "commander";
import type { Verb, VerbContext } from "./verb.ts";

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
    // A flag belongs to the verb that it follows: `status set idle --json` is not `status --json`.
    .enablePositionalOptions()
    .showSuggestionAfterError(true)
    .configureOutput({ outputError: () => {} })
    .addHelpText("after", "\nRun `claudemesh <verb> --help` for a verb's flags and examples.")
    .exitOverride();
  for (const verb of verbs) addVerb(program, verb, verbs, onAction);
  return program;
}

/** Returns what `claudemesh --help` shows of these verbs, in lines of at most `columns` where that is possible. */
export function helpText(verbs: readonly Verb[], columns: number): string {
  let text = "";
  const program = buildProgram(verbs, "", () => Promise.resolve()).configureOutput({
    writeOut: (part) => text += part,
    getOutHelpWidth: () => columns,
    getOutHasColors: () => false,
  });
  program.outputHelp();
  return text;
}

function addVerb(
  program: Command,
  verb: Verb,
  verbs: readonly Verb[],
  onAction: Parameters<typeof buildProgram>[2],
): void {
  const words = verb.path.split(" ");
  let parent = program;
  for (const word of words.slice(0, -1)) {
    parent = parent.commands.find((each) => each.name() === word) ?? addGroup(parent, word, verbs);
  }
  const name = words.at(-1)!;
  const existing = parent.commands.find((each) => each.name() === name);
  const command = existing ?? parent.command(name).exitOverride().helpCommand(false);
  const hasParts = verbs.some((each) => each.path.startsWith(`${verb.path} `));
  if (hasParts && verb.args.length === 0) command.allowExcessArguments();
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
    if (hasParts && verb.args.length === 0 && command.args.length > 0) refuseWord(command);
    const args = received.slice(0, verb.args.length) as VerbContext["args"];
    await onAction(verb, args, command.optsWithGlobals());
  });
}

/** A first word that is no verb by itself. */
function addGroup(parent: Command, word: string, verbs: readonly Verb[]): Command {
  const parts = verbs.filter((each) => each.path.startsWith(`${word} `));
  const names = parts.map((each) => each.path.slice(word.length + 1));
  const examples = parts.map((each) => `  $ ${each.examples[0]}`).join("\n");
  return parent.command(word).exitOverride().helpCommand(false)
    .description(`${word} ${names.join(" | ")}`)
    .addHelpText("after", `\nExamples:\n${examples}`);
}

/** Commander does this by itself only for commands that do nothing on their own. */
function refuseWord(command: Command): never {
  return (command as unknown as { unknownCommand(): never }).unknownCommand();
}
