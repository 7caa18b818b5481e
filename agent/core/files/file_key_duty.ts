/**
 * After a rotation of the mesh key, the keys of shared files are wrapped anew: by the owner's and admins' agents for all,
 * by others for their own, each after a moment of its own, so that a thousand agents do not come at once.
 */
import { MeshError } from "../../../broker/api/errors.ts";
import { LocalError } from "../local_error.ts";
import type { TransferWorld } from "./transfer.ts";
import { rewrapFileKeys } from "./file_keys.ts";

const FIRST_DELAY_MS = 1_000;
const SPREAD_MS = 20_000;

export class FileKeyDuty {
  readonly #world: TransferWorld;
  #cancel: () => void = () => {};
  #working: Promise<unknown> = Promise.resolve();
  #stopped = false;

  constructor(world: TransferWorld) {
    this.#world = world;
  }

  /** There is a new connection, or a new key: looks in a while whether anything is to be done. */
  plan(): void {
    if (this.#stopped) return;
    const { clock } = this.#world;
    this.#cancel();
    this.#cancel = clock.after(FIRST_DELAY_MS + clock.random() * SPREAD_MS, () => {
      this.#working = this.run().catch((error) => {
        // Not connected, or refused: the next connection or key plans it again.
        if (!(error instanceof MeshError) && !(error instanceof LocalError)) throw error;
      });
    });
  }

  /** Does it now; returns how many keys were wrapped anew. Rejects as `call` does. */
  async run(): Promise<number> {
    if (this.#stopped || this.#world.currentKey() === null) return 0;
    return await rewrapFileKeys(this.#world.call, this.#world.keyring);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancel();
    await this.#working;
  }
}
