/**
 * What an agent does about the mesh key: fetches its copies, rotates when that is asked of owners and admins, hands the
 * key to joiners who have proved that they hold the invite's link (CONTRACTS 4).
 */
import { MeshError } from "../../broker/api/errors.ts";
import type { HelloAck } from "../../broker/api/hello.ts";
import { members } from "../../broker/api/members.ts";
import { type KeyRequest, meshKeys } from "../../broker/api/mesh_keys.ts";
import { fromBase64Url, toBase64 } from "../../crypto/bytes.ts";
import { handoverMac } from "../../crypto/invite_v2.ts";
import { makeRotationProof, newEpochKey, sealKeyFor } from "../../crypto/mesh_key.ts";
import type { KeyPair } from "../../crypto/sign.ts";
import type { AgentClock } from "./agent_clock.ts";
import type { AgentHome, JoinedMesh } from "./agent_home.ts";
import { openInviteSecret } from "./invite_secret.ts";
import { isProvenRequest } from "./key_request.ts";
import type { KeyHolders } from "./key_holders.ts";
import type { Keyring } from "./keyring.ts";
import { LocalError } from "./local_error.ts";
import type { MeshPeerApi } from "./mesh_peer_api.ts";

export interface KeyDutiesOptions {
  readonly mesh: JoinedMesh;
  readonly member: KeyPair;
  readonly keyring: Keyring;
  readonly holders: KeyHolders;
  readonly home: AgentHome;
  readonly clock: AgentClock;
  readonly call: MeshPeerApi["call"];
  /** Called when a key has come, or what is waited for has changed. */
  onChange(): void;
}

/** How it stands with the mesh key. */
export interface KeyStatus {
  /** Current epoch as the broker says; null before the first connection. */
  readonly epoch: number | null;
  readonly rekeyNeeded: boolean;
  readonly keyState: "current" | "waiting";
  readonly waitingReason: string | null;
}

/** The owner's agent goes first; admins' follow at different moments, so that they rarely collide. */
const OWNER_DELAY_MS = 500;
const ADMIN_DELAY_MS = 3_000;
const ADMIN_SPREAD_MS = 5_000;

export class KeyDuties {
  readonly #options: KeyDutiesOptions;
  #epoch: number | null = null;
  #rekeyNeeded = false;
  #role: "owner" | "admin" | "member";
  #refused: string | null = null;
  #working: Promise<void> = Promise.resolve();
  #cancelRotation: () => void = () => {};
  #stopped = false;

  constructor(options: KeyDutiesOptions) {
    this.#options = options;
    this.#role = options.mesh.role;
  }

  get status(): KeyStatus {
    const { keyring } = this.#options;
    const epoch = this.#epoch;
    const current = keyring.newest > 0 && (epoch === null || keyring.newest >= epoch);
    return {
      epoch,
      rekeyNeeded: this.#rekeyNeeded,
      keyState: current ? "current" : "waiting",
      waitingReason: current ? null : this.#waitingReason(),
    };
  }

  /** A connection has been made: catches up with what happened meanwhile. */
  connected(ack: HelloAck): void {
    this.#epoch = ack.mesh.epoch;
    this.#rekeyNeeded = ack.mesh.rekeyNeeded;
    this.#role = ack.memberRole;
    this.#inTurn(() => this.#catchUp());
  }

  /** Takes a system event of the broker; those of other concerns are left alone. */
  onEvent(event: string): void {
    switch (event) {
      case "mesh_key_changed":
        this.#inTurn(() => this.#fetch());
        break;
      case "rekey_needed":
        this.#rekeyNeeded = true;
        this.#planRotation();
        break;
      case "key_requested":
        this.#inTurn(() => this.#answerRequests());
        break;
    }
  }

  /** Fetches this member's copies; resolves when they are stored. Rejects as `call` does. */
  async refresh(): Promise<void> {
    await this.#fetch();
  }

  /**
   * Hands the current key to a member (id, name or key) that waits without a proof; a person has decided. Throws
   * LocalError `not_found`, `ambiguous_target`, `waiting_for_key`, or the broker's error.
   */
  async handOver(
    wanted: string,
  ): Promise<{ memberId: string; name: string; pubkey: string; epoch: number }> {
    const { requests } = await this.#options.call(meshKeys.listKeyRequests, {});
    const matching = requests.filter((each) =>
      each.memberId === wanted || each.pubkey === wanted.toLowerCase() ||
      each.displayName.toLowerCase() === wanted.toLowerCase()
    );
    const labels = matching.map((each) => `${each.displayName} (${each.pubkey.slice(0, 12)})`);
    if (matching.length > 1) {
      throw new LocalError("ambiguous_target", `${matching.length} waiting members match`, {
        candidates: labels,
        hint: "name the one you mean by its full key",
      });
    }
    const [request] = matching;
    if (request === undefined) {
      throw new LocalError("not_found", `no member "${wanted}" waits for the mesh key`);
    }
    const epoch = await this.#give(request, this.#secretOf(request));
    const { memberId, displayName: name, pubkey } = request;
    return { memberId, name, pubkey, epoch };
  }

  /** Resolves when nothing is under way any more; begins nothing new. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelRotation();
    await this.#working;
  }

  /** Duties run one after the other; a failure (usually a lost connection) ends one and is met again at the next. */
  #inTurn(duty: () => Promise<void>): void {
    this.#working = this.#working.then(async () => {
      if (this.#stopped) return;
      try {
        await duty();
      } catch (error) {
        if (!(error instanceof LocalError) && !(error instanceof MeshError)) throw error;
      }
    });
  }

  async #catchUp(): Promise<void> {
    await this.#fetch();
    await this.#answerRequests();
    if (this.#rekeyNeeded) this.#planRotation();
  }

  async #fetch(): Promise<void> {
    const { keyring, call, onChange } = this.#options;
    const answer = await call(meshKeys.getMeshKeys, {});
    this.#epoch = answer.epoch;
    this.#rekeyNeeded = answer.rekeyNeeded;
    this.#refused = null;
    // In order, because each key vouches for the next one.
    for (const offered of [...answer.keys].sort((a, b) => a.epoch - b.epoch)) {
      if (keyring.offer(offered) === "refused") {
        this.#refused = `the key of epoch ${offered.epoch} was offered without a valid proof and ` +
          "is not believed";
      }
    }
    onChange();
  }

  #planRotation(): void {
    if (this.#role === "member" || this.#stopped) return;
    const { clock } = this.#options;
    const delayMs = this.#role === "owner"
      ? clock.random() * OWNER_DELAY_MS
      : ADMIN_DELAY_MS + clock.random() * ADMIN_SPREAD_MS;
    this.#cancelRotation();
    this.#cancelRotation = clock.after(delayMs, () => this.#inTurn(() => this.#rotate()));
  }

  async #rotate(): Promise<void> {
    const { mesh, member, keyring, holders, call, onChange } = this.#options;
    await this.#fetch();
    const epoch = this.#epoch;
    if (!this.#rekeyNeeded || epoch === null) return;
    const previousKey = keyring.get(epoch);
    // Without the key before, only the owner's word counts with the others.
    if (previousKey === null && this.#role !== "owner") return;
    const listed = await call(members.listMembers, {});
    const newKey = newEpochKey();
    const proof = makeRotationProof(
      { meshId: mesh.meshId, epoch: epoch + 1, newKey, previousKey },
      member.secretKey,
    );
    const readers = listed.members.filter((each) => holders.isTrusted(each.pubkey));
    const sealed = Object.fromEntries(
      readers.map((each) => [each.memberId, sealKeyFor(each.pubkey, newKey)]),
    );
    try {
      await call(meshKeys.rotateMeshKey, {
        epoch: epoch + 1,
        proof,
        sealed,
        ...(mesh.custody === "broker" ? { brokerKey: toBase64(newKey) } : {}),
      });
    } catch (error) {
      if (!(error instanceof MeshError) || error.code !== "conflict") throw error;
      // Another admin's agent was faster: its key is on its way.
      await this.#fetch();
      return;
    }
    keyring.keep(epoch + 1, newKey, proof);
    this.#epoch = epoch + 1;
    this.#rekeyNeeded = false;
    onChange();
    await this.#answerRequests();
  }

  async #answerRequests(): Promise<void> {
    if (this.#role === "member" || this.status.keyState !== "current") return;
    const { requests } = await this.#options.call(meshKeys.listKeyRequests, {});
    for (const request of requests) {
      const secret = this.#secretOf(request);
      if (secret === null || !isProvenRequest(request, secret)) continue;
      try {
        await this.#give(request, secret);
      } catch (error) {
        // Another agent has done it, or the epoch has just changed and the next event brings it here again.
        if (!(error instanceof MeshError)) throw error;
      }
    }
  }

  /** Seals the current key to a waiting member; returns its epoch. */
  async #give(request: KeyRequest, secret: Uint8Array | null): Promise<number> {
    const { mesh, keyring, holders, call } = this.#options;
    const epoch = keyring.newest;
    const key = keyring.get(epoch);
    if (key === null) {
      throw new LocalError("waiting_for_key", "this agent has no mesh key to hand over yet");
    }
    const { memberId, pubkey } = request;
    const sealedKey = sealKeyFor(pubkey, key);
    const { meshId, ownerPubkey } = mesh;
    const handover = { meshId, ownerPubkey, joinerPubkey: pubkey, epoch, sealedKey };
    const mac = secret === null ? null : handoverMac(handover, secret);
    // Whoever else hands the key over, this agent knows now that the member may have it.
    holders.add(pubkey);
    await call(meshKeys.handOverKey, { memberId, epoch, sealedKey, mac });
    return epoch;
  }

  /** The link's secret behind a request: sealed by whoever made the invite, or kept here. */
  #secretOf(request: KeyRequest): Uint8Array | null {
    const { keyring, home, mesh } = this.#options;
    const key = keyring.get(request.secretEpoch);
    const opened = key === null || request.sealedSecret === ""
      ? null
      : openInviteSecret(request.sealedSecret, key);
    if (opened !== null || request.inviteCode === null) return opened;
    const kept = home.readInviteSecrets(mesh.meshId).get(request.inviteCode);
    return kept === undefined ? null : fromBase64Url(kept);
  }

  #waitingReason(): string {
    if (this.#refused !== null) return this.#refused;
    return this.#options.keyring.newest === 0
      ? "waiting for a member to hand over the mesh key"
      : "waiting for a copy of the current mesh key";
  }
}
