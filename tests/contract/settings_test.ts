/** The README names every setting of a broker. */
import assert from "node:assert/strict";
import { LIMITS } from "../../broker/api/limits.ts";
import { SETTING_NAMES } from "../../broker/core/config.ts";

const README = new URL("../../README.md", import.meta.url);
const PROTOCOL = new URL("../../docs/PROTOCOL.md", import.meta.url);

Deno.test("the README names every setting, the protocol's page every limit among them", async () => {
  const limits = new Set<string>(
    Object.values(LIMITS).flatMap((each) => "env" in each ? [each.env] : []),
  );
  const [readme, protocol] = [await Deno.readTextFile(README), await Deno.readTextFile(PROTOCOL)];
  const missing = [...SETTING_NAMES].filter((name) =>
    !(limits.has(name) ? protocol : readme).includes(`\`${name}\``)
  );
  assert.deepEqual(missing, []);
});

Deno.test("the README names no setting that there is not", async () => {
  const readme = await Deno.readTextFile(README);
  const [, section = ""] = readme.split("## Settings of a broker");
  const [table = ""] = section.split("\n## ");
  const named = [...table.matchAll(/`([A-Z][A-Z0-9_]+)`/g)].map(([, name]) => name);
  assert.deepEqual(named.filter((name) => !SETTING_NAMES.has(name!)), []);
});
