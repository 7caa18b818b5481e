/** The built-in embedding: the same everywhere, and nearer for texts that share words. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import fc from "fast-check";
import { LEXICAL_DIMENSIONS, lexicalEmbedding } from "./lexical_embedding.ts";

function cosine(a: string, b: string): number {
  const [left, right] = [lexicalEmbedding(a), lexicalEmbedding(b)];
  assert.ok(left !== null && right !== null);
  return left.reduce((sum, value, at) => sum + value * right[at]!, 0);
}

const TEXTS = [
  "The billing service retries failed payments three times before it gives up",
  "Deployments run on Fridays only after the release manager approved them",
  "Der Server wird mit systemctl neu gestartet, danach prüft man die Protokolle",
  "Les tests d'intégration tournent sur deux bases de données",
  "数据库迁移在启动时自动运行",
  "請求の再試行は三回まで行われます",
  "เซิร์ฟเวอร์จะเริ่มใหม่ทุกคืน",
  "Миграции базы данных выполняются при запуске",
  "getUserById returns null for deleted users",
];

const QUESTIONS: readonly (readonly [question: string, nearest: number])[] = [
  ["how often are payments retried", 0],
  ["who approves a deployment", 1],
  ["Server neustarten", 2],
  ["base de donnees test integration", 3],
  ["数据库怎么迁移", 4],
  ["再試行", 5],
  ["เริ่มเซิร์ฟเวอร์ใหม่", 6],
  ["миграция базы", 7],
  ["user by id", 8],
];

for (const [question, nearest] of QUESTIONS) {
  Deno.test(`"${question}" is nearest to the text that answers it`, () => {
    const scores = TEXTS.map((text) => cosine(question, text));
    assert.equal(scores.indexOf(Math.max(...scores)), nearest, scores.join(" "));
    const others = scores.filter((_, index) => index !== nearest);
    assert.ok(scores[nearest]! > Math.max(...others) + 0.02, scores.join(" "));
  });
}

Deno.test("case, accents, width and composition of characters make no difference", () => {
  for (
    const [a, b] of [
      ["CAFÉ Straße", "cafe strasse"],
      ["Ｗｉｄｅ", "wide"],
      ["e\u0301te\u0301", "été"],
      ["ΌΔΟΣ", "όδος"],
      ["한국어", "한국어".normalize("NFD")],
    ] as const
  ) {
    assert.ok(cosine(a, b) > 0.999, `${a} and ${b}: ${cosine(a, b)}`);
  }
});

Deno.test("inflected forms are nearer than words that share nothing", () => {
  assert.ok(cosine("deploying", "deployment") > 0.2);
  assert.ok(Math.abs(cosine("deploying", "tomato")) < 0.1);
});

Deno.test("words that say little count little", () => {
  const text = "the state of the cache";
  assert.ok(cosine("cache", text) > 3 * cosine("the of", text));
});

Deno.test("a repeated word does not drown the others", () => {
  const spam = `${"alpha ".repeat(200)}beta`;
  assert.ok(cosine("beta", spam) > 0.1, String(cosine("beta", spam)));
});

Deno.test("a text without a letter or digit has no direction", () => {
  for (const text of ["", " \n\t", "!?… — 🧵🚀", "\u0301\u200b"]) {
    assert.equal(lexicalEmbedding(text), null, JSON.stringify(text));
  }
});

Deno.test("any text with a letter has a direction of length 1", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: "binary" }),
      fc.constantFrom("a", "ж", "字", "7"),
      (text, letter) => {
        const direction = lexicalEmbedding(`${text} ${letter}`);
        assert.ok(direction !== null);
        assert.equal(direction.length, LEXICAL_DIMENSIONS);
        const square = direction.reduce((sum, value) => sum + value * value, 0);
        assert.ok(Math.abs(square - 1) < 1e-4, String(square));
      },
    ),
  );
});

Deno.test("what is stored with it stays comparable: the directions of these texts never change", () => {
  const digest = createHash("sha256");
  for (const text of TEXTS) {
    const direction = lexicalEmbedding(text);
    assert.ok(direction !== null);
    digest.update(direction.map((value) => Math.round(value * 10_000)).join(","));
  }
  assert.equal(
    digest.digest("hex"),
    "552aa9c6c62b611578c12dc9365030ee15594bda2f3c73e55982d4ca0c0aca37",
  );
});
