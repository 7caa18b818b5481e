/**
 * `state watch`: prints the changes of the shared state as they come.
 */
import { marks, printable, style } from "../ui/style.ts";
import { WATCH_FLAGS, type WatchedEvent, watchEvents } from "./event_watch.ts";
import { MESH_FLAG, type Verb } from "./verb.ts";

function lineOf({ mesh, data }: WatchedEvent): string {
  const change = data.deleted === true
    ? style.warn("deleted")
    : printable(JSON.stringify(data.value));
  const by = style.dim(`${printable(String(data.updatedBy))} · ${printable(mesh)}`);
  return `${marks.done()} ${style.bold(printable(String(data.key)))} ${change}  ${by}`;
}

export const stateWatch: Verb = {
  path: "state watch",
  summary: "Print changes of the shared state as they come",
  args: [{ name: "prefix", summary: "only keys that begin like this", required: false }],
  flags: [MESH_FLAG, ...WATCH_FLAGS],
  examples: ["claudemesh state watch", "claudemesh state watch deploy/ --count 1 --json"],
  json: true,
  async run(context) {
    const prefix = typeof context.args[0] === "string" ? context.args[0] : "";
    await watchEvents(context, {
      line: (event) =>
        event.event === "state_change" && String(event.data.key).startsWith(prefix)
          ? lineOf(event)
          : null,
      data: ({ data: { updatedBySession: _, ...change } }) => change,
    });
    return null;
  },
};
