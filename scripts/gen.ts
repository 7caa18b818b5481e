/**
 * Writes the reference pages under docs/, and the text of `--help`, from the catalogs that the program itself runs on.
 * With `--check` it writes nothing and fails when a page differs from what it would write.
 */
import { events, features } from "../broker/api/catalog.ts";
import { ERRORS } from "../broker/api/errors.ts";
import { hello, helloAck, sessionHello } from "../broker/api/hello.ts";
import { LIMITS } from "../broker/api/limits.ts";
import { COMMON_FAILS, type Op } from "../broker/api/op.ts";
import { REVISIONS } from "../broker/api/revisions.ts";
import { derivedVerbs, writtenVerbs } from "../agent/verbs/catalog.ts";
import { helpText } from "../agent/verbs/program.ts";
import { allTools, listedTool } from "../mcp/tools/catalog.ts";
import { PROJECT_ROOT } from "./project_files.ts";
import { helpModule } from "./help_module.ts";
import { protocolPage } from "./protocol_page.ts";
import { toolsPage } from "./tools_page.ts";
import { verbsPage } from "./verbs_page.ts";

/** Nobody's terminal can be asked beforehand. */
const HELP_COLUMNS = 100;

/** A page and how to make it; `make` returns unformatted Markdown or TypeScript, as the path's ending says. */
interface Page {
  readonly path: string;
  readonly make: () => string | Promise<string>;
}

function protocol(): string {
  return protocolPage({
    handshake: { hello, session_hello: sessionHello, hello_ack: helloAck },
    features: Object.fromEntries(
      Object.entries(features).map(([name, ops]) => [name, Object.values(ops) as unknown as Op[]]),
    ),
    events,
    errors: ERRORS,
    commonFails: COMMON_FAILS,
    limits: LIMITS,
    revisions: REVISIONS,
  });
}

function tools(): string {
  // The page lists what is served; nothing is called, so there is no channel to ask.
  return toolsPage(
    allTools(() => {
      throw new Error("the reference page calls no tool");
    }).map(listedTool),
  );
}

const PAGES: readonly Page[] = [
  { path: "docs/PROTOCOL.md", make: protocol },
  { path: "docs/TOOLS.md", make: tools },
  {
    path: "docs/VERBS.md",
    make: async () => verbsPage([...writtenVerbs, ...await derivedVerbs()]),
  },
  {
    path: "agent/verbs/help_text.ts",
    make: async () =>
      helpModule(helpText([...writtenVerbs, ...await derivedVerbs()], HELP_COLUMNS)),
  },
];

/** `text` as `deno fmt` with the project's settings leaves a file with that ending. Throws when the formatter fails. */
async function formatted(text: string, ending: string): Promise<string> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["fmt", "--quiet", "--config", `${PROJECT_ROOT}deno.json`, "--ext", ending, "-"],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(text));
  await writer.close();
  const { success, stdout } = await child.output();
  if (!success) throw new Error("deno fmt refused a generated page");
  return new TextDecoder().decode(stdout);
}

async function textOf(path: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Brings one page up to date, or only says whether it is. Returns true when it was up to date. */
async function bring(page: Page, check: boolean): Promise<boolean> {
  const wanted = await formatted(await page.make(), page.path.split(".").at(-1)!);
  const path = PROJECT_ROOT + page.path;
  const same = await textOf(path) === wanted;
  if (same || check) {
    console.log(`${page.path}: ${same ? "up to date" : "differs; run deno task gen"}`);
    return same;
  }
  await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
  await Deno.writeTextFile(path, wanted);
  console.log(`${page.path}: written`);
  return false;
}

if (import.meta.main) {
  const check = Deno.args.includes("--check");
  const upToDate = await Promise.all(PAGES.map((page) => bring(page, check)));
  Deno.exit(check && upToDate.includes(false) ? 1 : 0);
}
