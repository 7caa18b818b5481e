/** The folder that meshes' embedded databases are copied from: made once, by a process of its own. */
import { join } from "node:path";
import { flush } from "../sql/flush.ts";
import { SqlError } from "../sql/port.ts";
import { EmbeddedChannel } from "./embedded_channel.ts";
import { pathExists } from "../path_exists.ts";

const NAME = "template";
/** What one that is being made is called, with a random end. */
const UNFINISHED = "template.new";
const MAKE_TIMEOUT_MS = 120_000;

/** `<folder>/template`. Only one process may use it at a time. */
export class EmbeddedTemplate {
  readonly #folder: string;
  #made: Promise<string> | null = null;
  #maker: EmbeddedChannel | null = null;
  #closed = false;

  /** @param folder of all meshes; made with the template. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /**
   * Returns its path. The first call has it made where there is none (some seconds), and who asks meanwhile waits for the
   * same; after a failure the next call tries again.
   * @throws {SqlError} why it could not be made.
   */
  path(): Promise<string> {
    if (this.#closed) return Promise.reject(new SqlError("unavailable", "the broker is stopping"));
    this.#made ??= this.#make().catch((error) => {
      this.#made = null;
      throw error;
    });
    return this.#made;
  }

  /** Ends the making of it at once. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#maker?.terminate();
    await this.#made?.catch(() => {});
  }

  async #make(): Promise<string> {
    const path = join(this.#folder, NAME);
    await Deno.mkdir(this.#folder, { recursive: true, mode: 0o700 });
    await this.#removeUnfinished();
    if (await pathExists(path)) return path;
    if (this.#closed) throw new SqlError("unavailable", "the broker is stopping");
    // Under a name of its own: the process that a killed broker had started may still write to its folder.
    const unfinished = await Deno.makeTempDir({ dir: this.#folder, prefix: UNFINISHED });
    try {
      await this.#fill(unfinished);
    } catch (error) {
      await Deno.remove(unfinished, { recursive: true });
      throw error;
    }
    await Deno.rename(unfinished, path);
    if (Deno.build.os !== "windows") flush(this.#folder);
    return path;
  }

  async #fill(folder: string): Promise<void> {
    const maker = this.#maker = new EmbeddedChannel();
    try {
      await maker.request({ kind: "make", folder }, MAKE_TIMEOUT_MS);
    } finally {
      await maker.terminate();
      this.#maker = null;
    }
  }

  async #removeUnfinished(): Promise<void> {
    for await (const { name } of Deno.readDir(this.#folder)) {
      if (!name.startsWith(UNFINISHED)) continue;
      // A process that is about to end may still put something in; then it is for the next start.
      await Deno.remove(join(this.#folder, name), { recursive: true }).catch(() => {});
    }
  }
}
