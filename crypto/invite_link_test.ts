/** Tests of invite links in all their forms. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { toBase64Url } from "./bytes.ts";
import { formatInviteLink, parseInviteLink } from "./invite_link.ts";

const CODE = "Ab3dEf9h";
const TOKEN = "eyJ2IjoxfQ_-".repeat(10);
const secret = Uint8Array.from({ length: 16 }, (_, index) => index);
const SECRET = toBase64Url(secret);

Deno.test("a link that was handed out is read back with address, code and secret", () => {
  const urls = [
    "https://broker.example",
    "http://localhost:8787",
    "http://[::1]:8787",
    "https://example.com/mesh",
    "https://example.com/a/b.c",
  ];
  for (const publicUrl of urls) {
    const link = formatInviteLink(publicUrl, CODE, secret);
    assert.equal(link, `${publicUrl}/i/${CODE}#${SECRET}`);
    assert.deepEqual(parseInviteLink(link), { kind: "code", code: CODE, publicUrl, secret });
    assert.equal(formatInviteLink(publicUrl + "/", CODE, secret), link);
  }
});

Deno.test("every older form of a short link is read", () => {
  const cases: [string, string | null][] = [
    [CODE, null],
    ["abc234", null],
    ["claudemesh://i/" + CODE, null],
    ["claudemesh://" + CODE, null],
    ["ic://i/" + CODE, null],
    ["broker.example/i/" + CODE, "https://broker.example"],
    ["Broker.Example:444/i/" + CODE, "https://broker.example:444"],
    ["localhost:8787/i/" + CODE, "http://localhost:8787"],
    ["127.0.0.1/i/" + CODE, "http://127.0.0.1"],
    ["http://broker.example/i/" + CODE, "http://broker.example"],
    ["https://broker.example/de/i/" + CODE, "https://broker.example"],
    ["HTTPS://broker.example/i/" + CODE + "/", "https://broker.example"],
    ["https://broker.example/i/" + CODE + "?from=mail", "https://broker.example"],
    ["claudemesh://broker.example/i/" + CODE, "https://broker.example"],
    ["claudemesh://localhost:8787/i/" + CODE, "http://localhost:8787"],
  ];
  for (const [text, publicUrl] of cases) {
    const code = text === "abc234" ? text : CODE;
    for (const [suffix, expected] of [["", null], ["#", null], ["#" + SECRET, secret]] as const) {
      const link = parseInviteLink(` ${text}${suffix}\n`);
      assert.deepEqual(link, { kind: "code", code, publicUrl, secret: expected }, text + suffix);
    }
  }
});

Deno.test("a token is found alone and in every kind of link", () => {
  const texts = [
    TOKEN,
    "ic://join/" + TOKEN,
    "claudemesh://join/" + TOKEN,
    "https://broker.example/join/" + TOKEN,
    "http://broker.example/es/join/" + TOKEN,
    "broker.example/join/" + TOKEN,
  ];
  for (const text of texts) {
    assert.deepEqual(parseInviteLink(text), { kind: "token", token: TOKEN }, text);
  }
});

Deno.test("a link with a damaged secret says so rather than join unverified", () => {
  for (const damaged of [SECRET.slice(1), SECRET + "A", SECRET.slice(0, -1) + "!", "x"]) {
    const link = parseInviteLink(`https://broker.example/i/${CODE}#${damaged}`);
    assert.deepEqual(link, { kind: "invalid", reason: "bad_secret" });
  }
});

Deno.test("what is no invite is not taken for one", () => {
  const texts = [
    "",
    "short",
    "x".repeat(17),
    "not an invite",
    "https://broker.example/",
    "https://broker.example/i/",
    "https://broker.example/i/ab-cd-ef",
    "https://broker.example/join/tooshort",
    "https://user:word@broker.example/i/" + CODE,
    "https:///i/" + CODE,
    "https://broker.example/../i/" + CODE,
    "https://broker.example/a b/i/" + CODE,
    "ftp://broker.example/i/" + CODE,
    "javascript://broker.example/i/" + CODE,
    `https://broker.example/i/${CODE}#${SECRET}#x`,
    "claudemesh://x/" + CODE,
    "x".repeat(9000),
  ];
  for (const text of texts) {
    assert.deepEqual(parseInviteLink(text), { kind: "invalid", reason: "not_an_invite" }, text);
  }
});

Deno.test("junk never throws", () => {
  const part = fc.constantFrom(
    "https://",
    "claudemesh://",
    "host",
    "/i/",
    "/",
    "#",
    "?",
    CODE,
    "[",
  );
  const text = fc.array(fc.oneof(part, fc.string({ maxLength: 5 })), { maxLength: 8 });
  fc.assert(fc.property(text, (parts) => {
    const { kind } = parseInviteLink(parts.join(""));
    assert.ok(["code", "token", "invalid"].includes(kind));
  }));
});

Deno.test("a link is not made of what would not be read back", () => {
  const bad: [string, string, Uint8Array][] = [
    ["ftp://broker.example", CODE, secret],
    ["https://broker.example/?a", CODE, secret],
    ["https://user@broker.example", CODE, secret],
    ["junk", CODE, secret],
    ["https://broker.example", "abc", secret],
    ["https://broker.example", CODE, secret.subarray(1)],
  ];
  for (const [url, code, key] of bad) {
    assert.throws(() => formatInviteLink(url, code, key), TypeError, url);
  }
});
