/**
 * Every operation and event of the catalog keeps the rules that all of them share, and the real dispatch refuses what
 * the contract refuses.
 */
import assert from "node:assert/strict";
import * as z from "zod";
import { events, features, opByWire, ops } from "../../broker/api/catalog.ts";
import { ERRORS, isErrorCode } from "../../broker/api/errors.ts";
import { defaultLimits } from "../../broker/api/limits.ts";
import { COMMON_FAILS, type Op } from "../../broker/api/op.ts";
import { PROTOCOL_REVISION } from "../../broker/api/revisions.ts";
import { type Clock, systemRandom } from "../../broker/core/clock.ts";
import type { BrokerContext } from "../../broker/core/context.ts";
import { Dispatch } from "../../broker/core/dispatch.ts";
import { brokerLog } from "../../broker/core/log.ts";
import { Metrics } from "../../broker/core/metrics.ts";
import type { Connection } from "../../broker/core/model.ts";
import { RateLimits } from "../../broker/core/rate_limits.ts";
import { handlers } from "../../broker/features/catalog.ts";

interface JsonField {
  readonly type?: string;
  readonly description?: string;
  readonly maxLength?: number;
  readonly pattern?: string;
  readonly maxItems?: number;
  readonly maximum?: number;
  readonly minimum?: number;
}

function fieldsOf(op: Op): Record<string, JsonField> {
  const schema = z.toJSONSchema(op.input, { io: "input" }) as { properties?: object };
  return { ...schema.properties } as Record<string, JsonField>;
}

/** A broker of which only the dispatch is there: frames that are refused must need no more. */
function dispatchAs(role: "owner" | "member"): {
  answers: Record<string, unknown>[];
  send(frame: object): Record<string, unknown>;
} {
  const clock: Clock = { now: () => 0, after: () => () => {} };
  const broker = {
    settings: { limits: defaultLimits() },
    clock,
    random: systemRandom,
    log: brokerLog(),
    metrics: new Metrics(),
    rates: new RateLimits(clock),
    activity: { count() {} },
    stopping: () => false,
  } as unknown as BrokerContext;
  const answers: Record<string, unknown>[] = [];
  const connection = {
    member: { id: "member1", role },
    answer: (frame: string) => answers.push(JSON.parse(frame)),
  } as unknown as Connection;
  const dispatch = new Dispatch(broker, features, handlers);
  return {
    answers,
    send(frame) {
      dispatch.handle(connection, frame as Record<string, unknown>);
      return answers.at(-1) ?? {};
    },
  };
}

Deno.test("wire names, tool names and verbs are each unique", () => {
  for (
    const names of [
      ops.map((op) => op.wire),
      ops.flatMap((op) => op.tool?.name ?? []),
      ops.flatMap((op) => op.verb?.path ?? []),
      events.flatMap((event) => event.name ?? []),
    ]
  ) {
    assert.deepEqual(names, [...new Set(names)]);
  }
  assert.equal(opByWire.size, ops.length);
});

Deno.test("no event of its own has the type of a request", () => {
  for (const event of events) assert.ok(!opByWire.has(event.wire), event.wire);
});

for (const op of ops) {
  Deno.test(`${op.wire}: the examples parse, and the input's as the frame that carries it`, () => {
    op.input.parse(op.example.input);
    op.output.parse(op.example.output);
    op.input.parse({ type: op.wire, _reqId: "1", ...op.example.input });
  });

  Deno.test(`${op.wire}: names, codes and revision are of the known ones`, () => {
    assert.match(op.wire, /^[a-z]+(_[a-z]+)*$/);
    assert.match(op.reply, /^[a-z]+(_[a-z]+)*$/);
    assert.ok(op.since >= 1 && op.since <= PROTOCOL_REVISION);
    assert.match(op.summary, /^[A-Z].*\.$/s);
    for (const code of op.fails) {
      assert.ok(isErrorCode(code), code);
      assert.ok(!(COMMON_FAILS as readonly string[]).includes(code), `${code} is common to all`);
    }
    assert.deepEqual(op.fails, [...new Set(op.fails)]);
  });

  Deno.test(`${op.wire}: every wrong field is refused with its name`, () => {
    const { send } = dispatchAs("owner");
    for (const name of Object.keys(fieldsOf(op))) {
      // A field of any JSON value can only be missing.
      const wrongs = [{ junk: [] }, 1.5, [[]], "\u0007", null, undefined].filter((value) =>
        !op.input.safeParse({ ...op.example.input, [name]: value }).success
      );
      assert.notEqual(wrongs.length, 0, `${name} takes anything`);
      const [wrong] = wrongs;
      const answer = send({ type: op.wire, _reqId: "7", ...op.example.input, [name]: wrong });
      assert.equal(answer.type, "error");
      assert.equal(answer.code, "invalid_argument", JSON.stringify(answer));
      assert.equal(answer._reqId, "7");
      assert.ok(String(answer.field).startsWith(name), `${answer.field} is not ${name}`);
    }
  });

  Deno.test(`${op.wire}: lengths and counts are good at the limit and refused one past it`, () => {
    for (const [name, field] of Object.entries(fieldsOf(op))) {
      for (const [good, bad] of edges(field)) {
        const at = op.input.safeParse({ ...op.example.input, [name]: good });
        const past = op.input.safeParse({ ...op.example.input, [name]: bad });
        assert.ok(at.success, `${name} at its limit: ${at.error?.message}`);
        assert.ok(!past.success, `${name} past its limit`);
      }
    }
  });

  if (op.grant !== "member") {
    Deno.test(`${op.wire}: a plain member is refused`, () => {
      const answer = dispatchAs("member").send({ type: op.wire, ...op.example.input });
      assert.equal(answer.code, "forbidden");
    });
  }

  if (op.verb !== undefined || op.tool !== undefined) {
    Deno.test(`${op.wire}: what people and models are asked for is described`, () => {
      const hidden = new Set(op.tool?.hide ?? []);
      for (const [name, field] of Object.entries(fieldsOf(op))) {
        if (hidden.has(name) && op.verb === undefined) continue;
        assert.ok((field.description ?? "").length > 0, `${name} has no description`);
      }
      for (const name of op.verb?.positionals ?? []) assert.ok(name in fieldsOf(op), name);
      for (const example of op.verb?.examples ?? []) {
        assert.ok(example.startsWith(`claudemesh ${op.verb?.path}`), example);
      }
      for (const name of [...hidden, ...Object.values(op.tool?.rename ?? {})]) {
        assert.ok(name in fieldsOf(op), name);
      }
    });
  }
}

/** Values of a field at its bounds and one past them; none where a pattern decides. */
function edges(field: JsonField): [good: unknown, bad: unknown][] {
  const { type, pattern, maxLength, minimum, maximum } = field;
  if (type === "string" && pattern === undefined && maxLength !== undefined) {
    return [["x".repeat(maxLength), "x".repeat(maxLength + 1)]];
  }
  if (type !== "integer") return [];
  const low = minimum !== undefined && minimum > -Number.MAX_SAFE_INTEGER;
  const high = maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER;
  return [
    ...(low ? [[minimum, minimum - 1] as [unknown, unknown]] : []),
    ...(high ? [[maximum, maximum + 1] as [unknown, unknown]] : []),
  ];
}

for (const event of events) {
  Deno.test(`event ${event.name ?? event.wire}: the example parses`, () => {
    event.data.parse(event.example);
    assert.ok(event.since >= 1 && event.since <= PROTOCOL_REVISION);
  });
}

Deno.test("each error code has a status, an exit code and a summary of its own", () => {
  const summaries = Object.values(ERRORS).map((spec) => spec.summary);
  assert.deepEqual(summaries, [...new Set<string>(summaries)]);
  for (const [code, spec] of Object.entries(ERRORS)) {
    assert.ok(spec.http >= 400 && spec.http < 600, code);
    assert.ok(spec.exit >= 2 && spec.exit <= 8, code);
  }
});

Deno.test("a type that no operation has is refused as such", () => {
  const answer = dispatchAs("owner").send({ type: "no_such_thing", _reqId: "9" });
  assert.equal(answer.code, "unknown_type");
  assert.equal(answer._reqId, "9");
});

Deno.test("the request after the burst is refused with the limit and when to come again", () => {
  const { send } = dispatchAs("owner");
  const { requestBurst, requestsPerMinute } = defaultLimits();
  const wrong = { type: "set_summary", summary: 5 };
  for (let count = 0; count < requestBurst; count++) {
    assert.equal(send(wrong).code, "invalid_argument");
  }
  const refused = send(wrong);
  assert.equal(refused.code, "rate_limited");
  assert.equal(refused.limit, requestsPerMinute);
  assert.ok(Number(refused.retry_after_ms) > 0);
});

Deno.test("the send after the burst is refused", () => {
  const { send } = dispatchAs("owner");
  for (let count = 0; count < defaultLimits().sendBurst; count++) {
    assert.equal(send({ type: "send", targetSpec: 5 }).code, "invalid_argument");
  }
  assert.equal(send({ type: "send", targetSpec: 5 }).code, "rate_limited");
});

Deno.test("the reference page has a section for each operation and event, and a row for each code", async () => {
  const text = await Deno.readTextFile(new URL("../../docs/PROTOCOL.md", import.meta.url));
  for (const op of ops) assert.ok(text.includes(`### \`${op.wire}\``), op.wire);
  for (const event of events) assert.ok(text.includes(`\`${event.name ?? event.wire}\``));
  for (const code of Object.keys(ERRORS)) assert.ok(text.includes(`| \`${code}\``), code);
});
