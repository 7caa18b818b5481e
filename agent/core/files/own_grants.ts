/**
 * What this member lets others do, as it was granted on this machine. The broker keeps grants too and checks them; this
 * record is what an agent believes when a broker forwards something to it, so that no broker can grant in its member's
 * name.
 */
import { CAPABILITIES, type Capability } from "../../../broker/api/fields.ts";
import { isPublicKey } from "../../../crypto/sign.ts";
import { readState, writeState } from "./state_file.ts";

type Grants = Readonly<Record<string, readonly Capability[]>>;

export class OwnGrants {
  readonly #path: string;
  #grants: Grants;

  /** Reads the record in a mesh's state folder; an unreadable one grants nothing. */
  constructor(folder: string) {
    this.#path = `${folder}/grants.json`;
    this.#grants = readGrants(readState(this.#path));
  }

  /** Remembers a change that the broker has taken: member key -> capabilities, null for the defaults. */
  note(change: Readonly<Record<string, readonly string[] | null>>): void {
    const grants: Record<string, readonly Capability[]> = { ...this.#grants };
    for (const [pubkey, capabilities] of Object.entries(change)) {
      if (capabilities === null) delete grants[pubkey];
      else grants[pubkey] = known(capabilities);
    }
    writeState(this.#path, { version: 1, grants });
    this.#grants = grants;
  }

  /** Whether this capability, which is nobody's by default, was granted to a member here. */
  includes(pubkey: string, capability: Extract<Capability, "file-read">): boolean {
    return Object.hasOwn(this.#grants, pubkey) && this.#grants[pubkey]!.includes(capability);
  }
}

function known(capabilities: readonly unknown[]): Capability[] {
  return CAPABILITIES.filter((capability) => capabilities.includes(capability));
}

function readGrants(value: unknown): Grants {
  if (typeof value !== "object" || value === null || !("grants" in value)) return {};
  const { grants } = value;
  if (typeof grants !== "object" || grants === null) return {};
  const entries = Object.entries(grants).filter(([pubkey, list]) =>
    isPublicKey(pubkey) && Array.isArray(list)
  );
  return Object.fromEntries(entries.map(([pubkey, list]) => [pubkey, known(list)]));
}
