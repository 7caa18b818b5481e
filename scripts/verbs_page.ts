/** Writes the reference of the command line from the catalog of verbs. */
import { code, GENERATED_MARK, page, table } from "./markdown.ts";

/** A verb as `--help` shows it. */
export interface VerbEntry {
  /** `groups join`. */
  readonly path: string;
  readonly summary: string;
  readonly args: readonly {
    readonly name: string;
    readonly required: boolean;
    readonly summary: string;
  }[];
  readonly flags: readonly { readonly syntax: string; readonly summary: string }[];
  readonly examples: readonly string[];
}

function usage(verb: VerbEntry): string {
  const positionals = verb.args.map((each) => each.required ? `<${each.name}>` : `[${each.name}]`);
  const flags = verb.flags.length === 0 ? [] : ["[flags]"];
  return ["claudemesh", verb.path, ...positionals, ...flags].join(" ");
}

function verbBlocks(verb: VerbEntry): string[] {
  const rows = [
    ...verb.args.map((each) => [code(`<${each.name}>`), each.summary]),
    ...verb.flags.map((each) => [code(each.syntax), each.summary]),
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
    `Every verb takes ${code("--help")}, those that answer something ${code("--json")} too.`,
    ...verbs.flatMap(verbBlocks),
  ]);
}
