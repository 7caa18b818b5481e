/** Tests of what a peer may ask for by name. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { MeshError } from "../../../broker/api/errors.ts";
import { MAX_PATH_CHARS, segmentProblem, sharedPathSegments } from "./shared_path.ts";

function refused(path: string, code: string): void {
  assert.throws(
    () => sharedPathSegments(path),
    (error) => error instanceof MeshError && error.code === code,
    JSON.stringify(path),
  );
}

Deno.test("ordinary paths are taken apart", () => {
  const paths: Record<string, string[]> = {
    "": [],
    ".": [],
    "src/main.ts": ["src", "main.ts"],
    "./src//a..b/": ["src", "a..b"],
    "Grüße/日本語.md": ["Grüße", "日本語.md"],
  };
  for (const [path, segments] of Object.entries(paths)) {
    assert.deepEqual(sharedPathSegments(path), segments);
  }
});

Deno.test("nothing leads out of the folder", () => {
  const paths = ["..", "../x", "a/../../x", "a/..", "/etc/passwd", "~/x", "~root", "C:/x", "c:"];
  for (const path of paths) refused(path, "forbidden");
});

Deno.test("what is no path is refused as such", () => {
  const paths = ["a\0b", "a\nb", "a\\..\\b", "a\u202eb", "\ud800", "a".repeat(MAX_PATH_CHARS + 1)];
  for (const path of paths) refused(path, "invalid_argument");
  assert.equal(sharedPathSegments("a/".repeat(MAX_PATH_CHARS / 2)).length, MAX_PATH_CHARS / 2);
});

Deno.test("hidden names are never served, however they are written", () => {
  const names = [
    ".env",
    ".git",
    ".ENV.",
    "..env",
    "...",
    "\uff0eenv",
    "\u2024env",
    "\u2025",
    "\u200b.env",
    " .env",
    ".\u00adgit",
  ];
  for (const name of names) {
    assert.notEqual(segmentProblem(name), null, JSON.stringify(name));
    refused(`src/${name}/x`, "forbidden");
  }
});

Deno.test("names of secrets are never served, in any case", () => {
  const names = [
    "server.pem",
    "SERVER.KEY",
    "id_rsa",
    "id_ed25519.pub",
    "prod.env",
    "app.env.local",
    "env",
    "env.production",
    "credentials",
    "aws-credentials.json",
    "secrets.yaml",
    "my_secrets.yml",
    "Passwords.txt",
    "client_secret_123.json",
    "service-account-prod.json",
    "x-firebase-adminsdk-1.json",
    "terraform.tfstate.backup",
    "node_modules",
    "Node_Modules",
    "vault.kdbx",
    "key.pem.bak",
    "bare.git",
    "operator.token",
    "cert.pem. ",
    "ＩＤ_RSA",
    "server\u200b.key",
    "NUL",
    "aux.txt",
    "x".repeat(256),
  ];
  for (const name of names) assert.notEqual(segmentProblem(name), null, name);
});

Deno.test("source code that only speaks of secrets is served", () => {
  const names = [
    "secrets_file.ts",
    "password_test.go",
    "env.ts",
    "environment.md",
    "keys.ts",
    "tokens.json",
    "git.md",
    "credentials.ts",
    "shadow-dom.md",
    "kubeconfig_test.go",
    "README",
    "monkey",
    "id.ts",
  ];
  for (const name of names) assert.equal(segmentProblem(name), null, name);
});

Deno.test("whatever is asked, segments stay inside and visible, or it is refused in words", () => {
  fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 60 }), (path) => {
    let segments: string[];
    try {
      segments = sharedPathSegments(path);
    } catch (error) {
      assert.ok(error instanceof MeshError && error.message.length > 0);
      return;
    }
    for (const segment of segments) assert.match(segment, /^[^./][^/]*$/);
  }));
});
