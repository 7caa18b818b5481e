/**
 * The demo's second part: what a mesh shares beside messages. One person makes each thing, another one uses it.
 */
import { join } from "node:path";
import type { Person } from "./stage.ts";

/** One thing that was shared, and whether the other one got it. */
export interface SharedThing {
  readonly what: string;
  /** What the first person did. */
  readonly made: string;
  /** What the second one got of it. */
  readonly got: string;
  readonly ok: boolean;
}

type Answer = Readonly<Record<string, unknown>>;

const REMINDER_TIMEOUT_S = "15";

/** Plays it with two members of one mesh. @throws {LocalError} when a verb fails. */
export async function playShared(ada: Person, bob: Person): Promise<SharedThing[]> {
  return [
    await file(ada, bob),
    await memory(ada, bob),
    await task(ada, bob),
    await schedule(ada, bob),
    await graph(ada, bob),
    await sql(ada, bob),
    await state(ada, bob),
  ];
}

async function file(ada: Person, bob: Person): Promise<SharedThing> {
  const text = "Everything Bob needs to know\n";
  const path = join(ada.folder, "hand-over.md");
  const copy = join(bob.folder, "hand-over.md");
  await Deno.writeTextFile(path, text);
  const { id } = await ada.run("file", "share", path);
  await bob.run("file", "get", String(id), copy);
  const got = await Deno.readTextFile(copy);
  return {
    what: "file",
    made: "hand-over.md, encrypted on Ada's machine",
    got: got.trim(),
    ok: got === text,
  };
}

async function memory(ada: Person, bob: Person): Promise<SharedThing> {
  const content = "Deployments go out on Tuesdays, never on Fridays";
  await ada.run("remember", content, "--tags", "release");
  const { memories } = await bob.run("recall", "when do deployments go out");
  const [best] = memories as Answer[];
  const got = String(best?.content);
  return { what: "memory", made: content, got: `recalled: ${got}`, ok: got === content };
}

async function task(ada: Person, bob: Person): Promise<SharedThing> {
  const made = await ada.run("task", "create", "Write the changelog", "--priority", "high");
  const { id } = made.task as Answer;
  await bob.run("task", "claim", String(id));
  await bob.run("task", "complete", String(id), "Written");
  const shown = await ada.run("task", "show", String(id));
  const done = shown.task as Answer;
  return {
    what: "task",
    made: "Write the changelog",
    got: `claimed and completed by ${done.claimedBy}: ${done.result}`,
    ok: done.claimedBy === bob.name && done.result === "Written",
  };
}

async function schedule(ada: Person, bob: Person): Promise<SharedThing> {
  const text = "Stand-up in five minutes";
  // What came before is read, so that the reminder is what is waited for.
  await bob.run("inbox");
  await ada.run("remind", text, "--in", "1s", "--to", bob.name);
  const { messages } = await bob.run("inbox", "--wait", REMINDER_TIMEOUT_S);
  const got = (messages as Answer[]).find((each) => each.text === text);
  return {
    what: "schedule",
    made: `"${text}" in 1 s`,
    got: got === undefined ? "nothing" : `a ${got.type}: ${got.text}`,
    ok: got?.type === "reminder",
  };
}

async function graph(ada: Person, bob: Person): Promise<SharedThing> {
  const cypher = "CREATE (:Service {name: 'api'})-[:USES]->(:Store {name: 'pg'})";
  await ada.run("graph", "execute", cypher);
  const question = "MATCH (s:Service)-[:USES]->(t:Store) RETURN s.name AS s, t.name AS t";
  const { records } = await bob.run("graph", "query", question);
  const got = JSON.stringify(records);
  return { what: "graph", made: cypher, got, ok: got === '[{"s":"api","t":"pg"}]' };
}

async function sql(ada: Person, bob: Person): Promise<SharedThing> {
  await ada.run("sql", "execute", "create table deploys (service text, version int)");
  await ada.run("sql", "execute", "insert into deploys values ('api', 7), ('web', 3)");
  const { rows } = await bob.run("sql", "query", "select max(version) as newest from deploys");
  const got = JSON.stringify(rows);
  return { what: "SQL table", made: "deploys, 2 rows", got, ok: got === '[{"newest":7}]' };
}

async function state(ada: Person, bob: Person): Promise<SharedThing> {
  await ada.run("state", "set", "deploy-frozen", "true");
  const { value } = await bob.run("state", "get", "deploy-frozen");
  return { what: "state", made: "deploy-frozen = true", got: String(value), ok: value === true };
}
