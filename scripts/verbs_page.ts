/** Writes the reference of the command line from the catalog of verbs. */
import { code, GENERATED_MARK, page, table } from "./markdown.ts";

/** A verb as `--help` shows it. */
export interface VerbEntry {
  /** `groups join`. */
  readonly path: string;
  readonly summary: string;
  readonly positionals: readonly {
    readonly name: string;
    readonly required: boolean;
    readonly description: string;
  }[];
  readonly flags: readonly { readonly usage: string; readonly description: string }[];
  readonly examples: readonly string[];
}

function usage(verb: VerbEntry): string {
  const positionals = verb.positionals.map((each) =>
    each.required ? `<${each.name}>` : `[${each.name}]`
  );
  const flags = verb.flags.length === 0 ? [] : ["[flags]"];
  return ["claudemesh", verb.path, ...positionals, ...flags].join(" ");
}

function verbBlocks(verb: VerbEntry): string[] {
  const rows = [
    ...verb.positionals.map((each) => [code(`<${each.name}>`), each.description]),
    ...verb.flags.map((each) => [code(each.usage), each.description]),
  ];
  return [
    `## ${code(verb.path)}`,
    verb.summary,
    `\`\`\`sh\n${usage(verb)}\n\`\`\``,
    table(["argument", "meaning"], rows),
    verb.examples.length === 0 ? "" : `Examples:\n\n\`\`\`sh\n${verb.examples.join("\n")}\n\`\`\``,
  ];
}

/** The page as Markdown, not yet formatted; verbs in the order given. */
export function verbsPage(verbs: readonly VerbEntry[]): string {
  return page([
    GENERATED_MARK,
    "# Commands",
    `Every verb takes ${code("--help")} and ${code("--json")}.`,
    ...verbs.flatMap(verbBlocks),
  ]);
}
