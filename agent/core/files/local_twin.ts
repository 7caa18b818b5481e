/**
 * Whether a file that was read from a peer lies on this very machine, so that it can be opened directly. The peer says
 * where; it is believed only when the same bytes are there, or it could talk somebody into opening anything.
 */
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { isAbsolute } from "node:path";
import { equalBytes } from "../../../crypto/bytes.ts";
import type { PeerFilePart } from "./peer_file_talk.ts";

/** The path of the same file on this machine, null when there is none. */
export async function localTwin(part: PeerFilePart, content: Uint8Array): Promise<string | null> {
  const path = part.hostPath;
  if (path === null || !isAbsolute(path) || content.length === 0) return null;
  try {
    const handle = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    try {
      const found = await handle.stat();
      if (!found.isFile() || found.size !== part.sizeBytes) return null;
      const same = new Uint8Array(content.length);
      const { bytesRead } = await handle.read(same, 0, same.length, part.offset);
      return bytesRead === same.length && equalBytes(same, content) ? path : null;
    } finally {
      await handle.close();
    }
  } catch {
    // Another machine of the same name, or a container beside this one.
    return null;
  }
}
