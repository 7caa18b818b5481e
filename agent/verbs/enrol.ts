/**
 * Verbs by which this machine becomes a member: `new` and `join`.
 */
import { hostname, userInfo } from "node:os";
import { LocalError } from "../core/local_error.ts";
import { marks, printable, style } from "../ui/style.ts";
import { creatorGroups } from "./templates/template.ts";
import { textArgument, textFlag, type Verb, type VerbContext, type VerbResult } from "./verb.ts";

const DEFAULT_BROKER = "http://127.0.0.1:8787";
const DEFAULT_KEY_WAIT_S = 10;

const NAME_FLAG = {
  syntax: "--name <name>",
  summary: "how others see you (CLAUDEMESH_DISPLAY_NAME, your user name)",
};

function displayName(context: VerbContext): string {
  const chosen = textFlag(context, "name") ?? Deno.env.get("CLAUDEMESH_DISPLAY_NAME");
  if (chosen) return chosen.trim().slice(0, 64);
  try {
    return userInfo().username;
  } catch {
    // No entry in the user database, as in some containers.
    return hostname();
  }
}

/** "My Team" -> "my-team". @throws {LocalError} when nothing is left of it. */
export function slugOf(name: string): string {
  const slug = name.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase().replace(
    /[^a-z0-9]+/g,
    "-",
  )
    .replace(/^-+|-+$/g, "").slice(0, 32).replace(/-+$/, "");
  if (/^[a-z0-9][a-z0-9-]{1,31}$/.test(slug)) return slug;
  throw new LocalError("invalid_argument", `"${name}" gives no usable short name`, {
    exit: 3,
    hint: "Use at least two letters or digits, or name it with --slug",
  });
}

export const create: Verb = {
  path: "new",
  aliases: ["create"],
  summary: "Create a mesh; this machine becomes its owner",
  details:
    "From another machine than the broker's, CLAUDEMESH_OPERATOR_TOKEN must hold the broker's operator\n" +
    "token (or CLAUDEMESH_OPERATOR_TOKEN_FILE name a file that does).",
  args: [{ name: "name", summary: "what people call it", required: false, variadic: true }],
  flags: [
    {
      syntax: "--broker <url>",
      summary: `the broker (CLAUDEMESH_BROKER_URL, ${DEFAULT_BROKER})`,
    },
    { syntax: "--slug <slug>", summary: "its short name; made from the name when left out" },
    NAME_FLAG,
    {
      syntax: "--custody <who>",
      summary: "who keeps the mesh key: members (default), or the broker too",
      choices: ["members", "broker"],
    },
    { syntax: "--template <name>", summary: "begin with its groups, state, tasks and skills" },
    { syntax: "--list-templates", summary: "show the templates" },
  ],
  examples: [
    "claudemesh new team",
    "claudemesh new --list-templates",
    "claudemesh new team --template dev-team",
    'claudemesh new "Billing team" --broker https://mesh.example.org --name Ada',
  ],
  json: true,
  async run(context) {
    if (context.flags.listTemplates === true) return await listTemplates();
    const { createMesh } = await import("../core/enrol.ts");
    const { Home } = await import("../home/home.ts");
    const name = nameOf(context);
    const templateName = textFlag(context, "template");
    const template = templateName === undefined ? null : await import("./templates/seed.ts")
      .then(({ templateOf }) => templateOf(templateName));
    const token = await operatorToken();
    const mesh = await createMesh(new Home(), {
      brokerUrl: textFlag(context, "broker") ?? Deno.env.get("CLAUDEMESH_BROKER_URL") ??
        DEFAULT_BROKER,
      name,
      slug: textFlag(context, "slug") ?? slugOf(name),
      displayName: displayName(context),
      custody: (textFlag(context, "custody") ?? "members") as "members" | "broker",
      ...(template === null ? {} : { groups: creatorGroups(template) }),
      ...(token === null ? {} : { operatorToken: token }),
    });
    const client = await context.agent();
    await client.call("agent.reload", {});
    if (template !== null) {
      const { seedMesh } = await import("./templates/seed.ts");
      await seedMesh(client, mesh.slug, template);
    }
    const keeper = mesh.custody === "broker" ? style.warn(" · the broker holds the mesh key") : "";
    return {
      data: {
        id: mesh.meshId,
        slug: mesh.slug,
        name: mesh.name,
        custody: mesh.custody,
        ...(template === null ? {} : { template: template.name }),
      },
      text: `${marks.done()} Created ${mesh.slug} as ${printable(mesh.displayName)}${keeper}\n` +
        `  ${style.dim("Next: claudemesh invite")}`,
    };
  },
};

function nameOf(context: VerbContext): string {
  const words = context.args[0];
  if (words !== undefined && words.length > 0) return textArgument(context, 0);
  throw new LocalError("invalid_argument", "the mesh needs a name", {
    exit: 3,
    hint: "For example: claudemesh new team",
  });
}

async function listTemplates(): Promise<VerbResult> {
  const { TEMPLATES } = await import("./templates/catalog.ts");
  const lines = TEMPLATES.map(({ name, description, groups }) => {
    const members = groups.length === 0
      ? ""
      : `  ${groups.map((each) => `@${each.name}`).join(" ")}`;
    return `${style.bold(name)}  ${description}${style.dim(members)}`;
  });
  return { data: { templates: TEMPLATES }, text: lines.join("\n") };
}

async function operatorToken(): Promise<string | null> {
  const token = Deno.env.get("CLAUDEMESH_OPERATOR_TOKEN");
  if (token) return token.trim();
  const file = Deno.env.get("CLAUDEMESH_OPERATOR_TOKEN_FILE");
  if (!file) return null;
  try {
    return (await Deno.readTextFile(file)).trim();
  } catch (error) {
    throw new LocalError(
      "invalid_argument",
      `CLAUDEMESH_OPERATOR_TOKEN_FILE names "${file}", which cannot be read`,
      { exit: 3, hint: "Name a readable file that holds the token", cause: error },
    );
  }
}

export const join: Verb = {
  path: "join",
  aliases: ["add"],
  summary: "Join a mesh by an invite link",
  details: "A bare code needs --broker, and a person in the mesh must hand over the key.",
  args: [{ name: "link", summary: "the whole link, a code, or an older token", required: true }],
  flags: [
    NAME_FLAG,
    { syntax: "--broker <url>", summary: "the broker, where only a code is given" },
    {
      syntax: "--wait <seconds>",
      summary: `how long to wait for the mesh key (default ${DEFAULT_KEY_WAIT_S})`,
    },
  ],
  examples: ["claudemesh join 'https://mesh.example.org/i/Ab3dE6gH#c2VjcmV0' --name Bob"],
  json: true,
  async run(context) {
    const { joinMesh } = await import("../core/enrol.ts");
    const { Home } = await import("../home/home.ts");
    const { numberFlag } = await import("./messages.ts");
    const wait = { least: 0, most: 3600, otherwise: DEFAULT_KEY_WAIT_S };
    const waitS = numberFlag(textFlag(context, "wait"), "wait", wait);
    const broker = textFlag(context, "broker") ?? Deno.env.get("CLAUDEMESH_BROKER_URL");
    const { mesh, alreadyMember, verified } = await joinMesh(new Home(), textArgument(context, 0), {
      displayName: displayName(context),
      ...(broker ? { brokerUrl: broker } : {}),
    });
    const waiting = await waitForKey(context, mesh.slug, waitS * 1000);
    const again = alreadyMember ? " (you were a member already)" : "";
    const trust = verified
      ? ""
      : `\n  ${style.warn("Joined without the link's secret: a person must hand over the key.")}`;
    const state = waiting === null
      ? ""
      : `\n  ${style.warn(printable(waiting))}\n  ${style.dim("Direct messages work already.")}`;
    return {
      data: {
        id: mesh.meshId,
        slug: mesh.slug,
        name: mesh.name,
        role: mesh.role,
        custody: mesh.custody,
        already_member: alreadyMember,
        verified,
        key_state: waiting === null ? "current" : "waiting",
      },
      text: `${marks.done()} Joined ${mesh.slug} as ${
        printable(mesh.displayName)
      }${again}${trust}${state}`,
    };
  },
};

/** Waits until the agent has the mesh key. @returns null, or what it still waits for. */
async function waitForKey(
  context: VerbContext,
  slug: string,
  waitMs: number,
): Promise<string | null> {
  const client = await context.agent();
  const deadlineMs = Date.now() + waitMs;
  let changed = Promise.withResolvers<void>();
  client.onEvent((event) => {
    if (event.kind === "state") changed.resolve();
  });
  await client.call("agent.reload", {});
  await client.call("messages.watch", { mesh: slug });
  for (;;) {
    const { meshes } = await client.call("agent.info", {});
    const mesh = meshes.find((each) => each.slug === slug);
    if (mesh?.keyState === "current") return null;
    const leftMs = deadlineMs - Date.now();
    const what = mesh?.waitingReason ?? mesh?.reason ??
      "Waiting for a member to hand over the mesh key";
    if (leftMs <= 0) return what;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => timer = setTimeout(resolve, leftMs));
    await Promise.race([changed.promise, late]);
    clearTimeout(timer);
    changed = Promise.withResolvers();
  }
}
