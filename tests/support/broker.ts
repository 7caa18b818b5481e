/**
 * A broker inside the test's own process, on a free port, with meshes and members of its own making.
 */
import { createHash } from "node:crypto";
import { defaultLimits, type Limits } from "../../broker/api/limits.ts";
import type { Group, Role } from "../../broker/api/fields.ts";
import type { Clock } from "../../broker/core/clock.ts";
import type { Settings } from "../../broker/core/settings.ts";
import { type Broker, startBroker } from "../../broker/server.ts";
import { randomCode, randomId } from "../../crypto/random.ts";
import { generateKeyPair, type KeyPair } from "../../crypto/sign.ts";
import { insertMember, insertMesh } from "../../storage/sql/queries/mesh_creation.ts";
import { insertEpoch } from "../../storage/sql/queries/mesh_keys.ts";
import type { Sql } from "../../storage/sql/port.ts";
import { linkMeshTemplate } from "./mesh_template.ts";
import { type HelloOverrides, TestPeer } from "./peer.ts";
import { eachDriver } from "./sql.ts";

export interface TestMember {
  readonly id: string;
  readonly meshId: string;
  readonly displayName: string;
  readonly role: Role;
  readonly keys: KeyPair;
}

export interface TestBrokerOptions {
  readonly limits?: Partial<Limits>;
  readonly clock?: Clock;
  readonly settings?: Partial<Settings>;
  /** Gets the data folder before the first start. */
  readonly prepare?: (dataDir: string) => Promise<void>;
}

export interface MemberSpec {
  readonly name: string;
  readonly role?: Role;
  readonly groups?: Group[];
}

/** A broker on `sql`, which stays open. */
export class TestBroker {
  readonly sql: Sql;
  readonly #options: TestBrokerOptions;
  readonly #dataDir: string;
  readonly #peers = new Set<TestPeer>();
  #broker: Broker;

  private constructor(sql: Sql, options: TestBrokerOptions, dataDir: string, broker: Broker) {
    this.sql = sql;
    this.#options = options;
    this.#dataDir = dataDir;
    this.#broker = broker;
  }

  static async start(sql: Sql, options: TestBrokerOptions = {}): Promise<TestBroker> {
    const dataDir = await Deno.makeTempDir({ prefix: "claudemesh-test-" });
    await linkMeshTemplate(dataDir);
    await options.prepare?.(dataDir);
    const broker = await startBroker(testSettings(dataDir, options), brokerOptions(sql, options));
    return new TestBroker(sql, options, dataDir, broker);
  }

  get broker(): Broker {
    return this.#broker;
  }

  get context(): Broker["context"] {
    return this.#broker.context;
  }

  get socketUrl(): string {
    return `ws://127.0.0.1:${this.#broker.port}/ws`;
  }

  /** Ends the broker as SIGTERM would and starts another one on the same store; the port changes. */
  async restart(): Promise<void> {
    await this.#broker.close();
    const settings = testSettings(this.#dataDir, this.#options);
    this.#broker = await startBroker(settings, brokerOptions(this.sql, this.#options));
  }

  /** Makes a mesh in the store; the first member is its owner. */
  async mesh(...members: (string | MemberSpec)[]): Promise<TestMember[]> {
    const meshId = randomId();
    const specs = members.map((each) => typeof each === "string" ? { name: each } : each);
    const keys = specs.map(() => generateKeyPair());
    const [owner] = keys;
    if (owner === undefined) throw new Error("a mesh has an owner");
    const nowMs = Date.now();
    return await this.sql.transaction(async (tx) => {
      await insertMesh(tx, {
        id: meshId,
        slug: `m-${randomCode(12).toLowerCase()}`,
        name: "Test",
        ownerPubkey: owner.publicKey,
        custody: "members",
        createdAtMs: nowMs,
      });
      const proof = {
        by: owner.publicKey,
        keyHash: createHash("sha256").update(meshId).digest("hex"),
        signature: "0".repeat(128),
        mac: null,
      };
      await insertEpoch(tx, { meshId, epoch: 1, proof, brokerKey: null, createdAtMs: nowMs });
      const made: TestMember[] = [];
      for (const [index, spec] of specs.entries()) {
        const role = index === 0 ? "owner" : spec.role ?? "member";
        const pair = keys[index] ?? owner;
        const row = await insertMember(tx, {
          id: randomId(),
          meshId,
          pubkey: pair.publicKey,
          displayName: spec.name,
          role,
          roleTag: null,
          defaultGroups: spec.groups ?? [],
          messageMode: "push",
          proven: true,
          joinedAtMs: nowMs,
        });
        if (row === null) throw new Error(`${spec.name} could not join`);
        made.push({ id: row.id, meshId, displayName: spec.name, role, keys: pair });
      }
      return made;
    });
  }

  /** Opens a socket without a hello. */
  async socket(): Promise<TestPeer> {
    const peer = await TestPeer.connect(this.socketUrl);
    this.#peers.add(peer);
    return peer;
  }

  /** Opens a socket and says a good hello. */
  async join(member: TestMember, overrides: HelloOverrides = {}): Promise<TestPeer> {
    const peer = await this.socket();
    await peer.hello(member, overrides);
    return peer;
  }

  /** Closes every peer, then the broker. */
  async close(): Promise<void> {
    await Promise.all([...this.#peers].map((peer) => peer.close()));
    await this.#broker.close();
    await Deno.remove(this.#dataDir, { recursive: true });
  }
}

/** Registers a test per driver that gets a broker of its own. */
export function brokerTest(
  name: string,
  run: (broker: TestBroker) => Promise<void>,
  options: TestBrokerOptions = {},
): void {
  eachDriver(name, async (open) => {
    const broker = await TestBroker.start(await open(), options);
    try {
      await run(broker);
    } finally {
      await broker.close();
    }
  });
}

/** The settings of a broker in a test: the defaults on a free port of the loopback. */
export function testSettings(dataDir: string, options: TestBrokerOptions = {}): Settings {
  return {
    host: "127.0.0.1",
    port: 0,
    dataDir,
    publicUrl: null,
    databaseUrl: null,
    objectServer: null,
    graphServer: null,
    qdrant: null,
    embeddings: null,
    operatorToken: null,
    encryptionKey: null,
    container: false,
    meshCreation: "operator",
    trustedProxies: [],
    compat: false,
    statusTtlMs: 60_000,
    hookFreshMs: 60_000,
    logLevel: "error",
    memoryLanguages: ["simple", "english"],
    ...options.settings,
    limits: { ...defaultLimits(), ...options.limits },
  };
}

function brokerOptions(sql: Sql, { clock }: TestBrokerOptions) {
  return clock === undefined ? { sql } : { sql, clock };
}
