/**
 * The mesh keys that this agent holds, by epoch, and the rules by which it believes one (CONTRACTS 4): the broker hands
 * out sealed copies, so every key must be vouched for by the mesh's owner, by the chain of earlier keys, or by the secret
 * of the invite.
 */
import type * as z from "zod";
import type { rotationProof } from "../../broker/api/hello.ts";
import { fromBase64, fromBase64Url, toBase64 } from "../../crypto/bytes.ts";
import { checkHandoverMac } from "../../crypto/invite_v2.ts";
import { checkRotationProof, openSealedKey, type RotationProof } from "../../crypto/mesh_key.ts";
import type { KeyPair } from "../../crypto/sign.ts";
import type { AgentHome, JoinedMesh, KeptEpoch } from "./agent_home.ts";

/** A sealed copy as `get_mesh_keys` gives it. */
export interface OfferedKey {
  readonly epoch: number;
  readonly sealedKey: string;
  readonly proof: z.infer<typeof rotationProof>;
  readonly handoverMac: string | null;
}

/** What became of an offered key. */
export type OfferVerdict = "held" | "accepted" | "refused";

/** Name under which the secret of this member's own invite is kept beside those of the invites it made. */
export const JOIN_SECRET = "joined";
/** Superseded keys stay readable for so long. */
const KEPT_MS = 30 * 24 * 60 * 60 * 1000;

export class Keyring {
  readonly #home: AgentHome;
  readonly #mesh: JoinedMesh;
  readonly #member: KeyPair;
  readonly #now: () => number;
  #epochs: Map<number, KeptEpoch>;
  #keys = new Map<number, Uint8Array>();

  /** Reads the stored keys. Throws a home's error when their file cannot be used. */
  constructor(home: AgentHome, mesh: JoinedMesh, member: KeyPair, now: () => number) {
    this.#home = home;
    this.#mesh = mesh;
    this.#member = member;
    this.#now = now;
    this.#epochs = home.readEpochs(mesh.meshId);
    for (const [epoch, kept] of this.#epochs) this.#keys.set(epoch, fromBase64(kept.key));
    this.#dropOld();
  }

  /** The newest epoch whose key is held; 0 when there is none. */
  get newest(): number {
    return Math.max(0, ...this.#keys.keys());
  }

  /** The key of an epoch (32 bytes), null when it is not held. */
  get(epoch: number): Uint8Array | null {
    return this.#keys.get(epoch) ?? null;
  }

  /**
   * Opens a sealed copy and keeps its key, durably, when it is to be believed. A second, different key for an epoch is
   * always refused. Throws a home's error when it cannot be stored.
   */
  offer(offered: OfferedKey): OfferVerdict {
    const key = openSealedKey(this.#member.secretKey, offered.sealedKey);
    if (key === null || key.length !== 32) {
      return this.#keys.has(offered.epoch) ? "held" : "refused";
    }
    const held = this.#keys.get(offered.epoch);
    if (held !== undefined) return toBase64(held) === toBase64(key) ? "held" : "refused";
    if (!this.#isVouchedFor(offered, key)) return "refused";
    this.keep(offered.epoch, key, offered.proof);
    return "accepted";
  }

  /** Keeps a key that this agent has made or checked itself, durably. Throws a home's error. */
  keep(epoch: number, key: Uint8Array, proof: RotationProof): void {
    const epochs = new Map(this.#epochs);
    epochs.set(epoch, { key: toBase64(key), proof, atMs: this.#now() });
    this.#home.writeEpochs(this.#mesh.meshId, epochs);
    this.#epochs = epochs;
    this.#keys.set(epoch, key);
    this.#dropOld();
  }

  #isVouchedFor(offered: OfferedKey, key: Uint8Array): boolean {
    const { epoch, proof } = offered;
    const rotation = { meshId: this.#mesh.meshId, epoch, newKey: key };
    // The signature alone; the MAC is looked at below, where the key before it is held.
    if (!checkRotationProof({ ...rotation, previousKey: null }, { ...proof, mac: null })) {
      return false;
    }
    const { ownerPubkey, custody } = this.#mesh;
    const previousKey = this.#keys.get(epoch - 1) ?? null;
    const isChained = previousKey !== null &&
      checkRotationProof({ ...rotation, previousKey }, proof);
    // Custody `broker` lets the broker hand out keys; `info` and `verify` say so.
    if (isChained || custody === "broker" || this.#isHandedOver(offered)) return true;
    if (proof.by !== ownerPubkey) return this.#isFirstOfUnproven();
    // A joiner knows the owner by the broker's word alone until a hand-over has confirmed it.
    return this.#keys.size > 0 || this.#joinSecret() === null;
  }

  /** Whether a holder of this member's invite link sealed the key. */
  #isHandedOver({ epoch, sealedKey, handoverMac }: OfferedKey): boolean {
    const secret = this.#joinSecret();
    if (secret === null || handoverMac === null) return false;
    const { meshId, ownerPubkey } = this.#mesh;
    const joinerPubkey = this.#member.publicKey;
    const handover = { meshId, ownerPubkey, joinerPubkey, epoch, sealedKey };
    return checkHandoverMac(handover, handoverMac, secret);
  }

  /** Who joined without the link's secret has nothing to check by: the first key is believed, and shown as unverified. */
  #isFirstOfUnproven(): boolean {
    return this.#keys.size === 0 && this.#joinSecret() === null;
  }

  #joinSecret(): Uint8Array | null {
    const secret = this.#home.readInviteSecrets(this.#mesh.meshId).get(JOIN_SECRET);
    return secret === undefined ? null : fromBase64Url(secret);
  }

  /** Forgets keys that were superseded more than 30 days ago. */
  #dropOld(): void {
    const epochs = [...this.#epochs.keys()].sort((a, b) => a - b);
    const nowMs = this.#now();
    const old = epochs.filter((_, index) => {
      const next = epochs[index + 1];
      return next !== undefined && nowMs - (this.#epochs.get(next)?.atMs ?? nowMs) > KEPT_MS;
    });
    if (old.length === 0) return;
    const kept = new Map([...this.#epochs].filter(([epoch]) => !old.includes(epoch)));
    this.#home.writeEpochs(this.#mesh.meshId, kept);
    this.#epochs = kept;
    for (const epoch of old) this.#keys.delete(epoch);
  }
}
