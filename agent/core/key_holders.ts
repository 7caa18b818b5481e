/**
 * Which members are known to hold the mesh key rightly. A rotation seals the new key to nobody else: the broker alone
 * must not be able to add a reader by listing one. Known are the owner, joiners whose claim was checked here or whom a
 * person has let in, and senders of group messages. Whoever is left out proves its claim again and gets the key then.
 */
import type { JoinedMesh } from "./agent_home.ts";

export class KeyHolders {
  readonly #mesh: JoinedMesh;
  readonly #path: string;
  readonly #trusted: Set<string>;

  /** Reads what is known from `folder`; nothing of it is secret. */
  constructor(folder: string, mesh: JoinedMesh) {
    this.#mesh = mesh;
    this.#path = `${folder}/key_holders.json`;
    this.#trusted = new Set(readStored(this.#path));
  }

  /** Whether a rotation may seal the new key to this member. Under custody `broker` the broker decides. */
  isTrusted(pubkey: string): boolean {
    const { custody, ownerPubkey, pubkey: own } = this.#mesh;
    return custody === "broker" || pubkey === ownerPubkey || pubkey === own ||
      this.#trusted.has(pubkey);
  }

  /** This member is known to hold the key. */
  add(pubkey: string): void {
    if (this.#trusted.has(pubkey)) return;
    this.#trusted.add(pubkey);
    this.#store();
  }

  /** This member left or was banned: should it come back, it has to prove its claim again. */
  remove(pubkey: string): void {
    if (this.#trusted.delete(pubkey)) this.#store();
  }

  #store(): void {
    const temporary = `${this.#path}.new`;
    try {
      const text = JSON.stringify({ version: 1, trusted: [...this.#trusted] });
      Deno.writeTextFileSync(temporary, text, { mode: 0o600 });
      Deno.renameSync(temporary, this.#path);
    } catch {
      // A full disk: it is known as long as this process lives, and the stores tell of the disk.
    }
  }
}

function readStored(path: string): string[] {
  try {
    const value = JSON.parse(Deno.readTextFileSync(path)) as { trusted?: unknown };
    return Array.isArray(value.trusted)
      ? value.trusted.filter((each) => typeof each === "string")
      : [];
  } catch {
    // Missing, or cut off by a crash: whoever is not known proves its claim once more.
    return [];
  }
}
