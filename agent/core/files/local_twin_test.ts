/** Tests of when a peer's word on where a file lies is believed. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { localTwin } from "./local_twin.ts";
import type { PeerFilePart } from "./peer_file_talk.ts";

const CONTENT = new TextEncoder().encode("what the peer has sent");

async function withFile(
  content: Uint8Array,
  run: (path: string, part: PeerFilePart) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  const path = join(folder, "a.txt");
  await Deno.writeFile(path, content);
  const sizeBytes = CONTENT.length;
  const part = { ok: true, do: "read", path: "a.txt", offset: 0, sizeBytes, version: "1" } as const;
  try {
    await run(path, { ...part, hostPath: path });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("the same file on this machine is named", () =>
  withFile(CONTENT, async (path, part) => {
    assert.equal(await localTwin(part, CONTENT), path);
    const later = { ...part, offset: 5 };
    assert.equal(await localTwin(later, CONTENT.subarray(5, 10)), path);
  }));

Deno.test("another file under that name is not, nor what is missing, relative or a folder", () =>
  withFile(new Uint8Array(CONTENT.length), async (path, part) => {
    assert.equal(await localTwin(part, CONTENT), null);
    await Deno.writeFile(path, CONTENT.subarray(1));
    for (const hostPath of [path, `${path}.none`, "a.txt", join(path, ".."), null]) {
      assert.equal(await localTwin({ ...part, hostPath }, CONTENT), null);
    }
  }));

Deno.test("nothing is looked at for a file without content", () =>
  withFile(new Uint8Array(), async (_path, part) => {
    assert.equal(await localTwin({ ...part, sizeBytes: 0 }, new Uint8Array()), null);
  }));
