/**
 * A message store behind a bad line: it answers late, sometimes not at all, and a commit without an
 * answer may have taken place. `crash` ends it as a broker's end would: what was on its way is kept
 * or not.
 */
import type {
  CommitBatch,
  MessageRow,
  MessageStore,
} from "../../storage/sql/queries/message_store.ts";
import { BatchLine } from "../../storage/sql/batch_line.ts";
import { SqlError } from "../../storage/sql/port.ts";
import type { FakeClock } from "./fake_clock.ts";
import type { SeededRandom } from "./seeded_random.ts";

export interface StoreWorld {
  readonly clock: FakeClock;
  readonly random: SeededRandom;
  /** Share of calls that fail. */
  faultRate(): number;
  /** Work that the simulation waits for before time goes on. */
  track(work: Promise<unknown>): void;
  /** Hears of every message that is in the store for good. */
  stored(rows: readonly MessageRow[]): void;
}

/** Wraps `inner` for one life of a broker. */
export class UnreliableStore implements MessageStore {
  readonly #inner: MessageStore;
  readonly #world: StoreWorld;
  #crashed = false;
  readonly #line = new BatchLine();
  #commitUnderWay: (() => Promise<void>) | null = null;

  constructor(inner: MessageStore, world: StoreWorld) {
    this.#inner = inner;
    this.#world = world;
  }

  /** Nothing is answered any more; a commit that has not reached the store yet may still do so. */
  crash(): void {
    this.#crashed = true;
    const commit = this.#commitUnderWay;
    if (commit !== null && this.#world.random.chance(0.5)) this.#world.track(commit());
  }

  commit(batch: CommitBatch, behind = false): Promise<void> {
    return this.#line.add(behind, () => this.#commit(batch));
  }

  #commit(batch: CommitBatch): Promise<void> {
    // The rows may be numbered anew after a failure.
    const messages = batch.messages.map((row) => ({ ...row }));
    const write = async () => {
      this.#commitUnderWay = null;
      await this.#inner.commit({ ...batch, messages });
      this.#world.stored(messages);
    };
    this.#commitUnderWay = write;
    return this.#call(write, this.#world.random.chance(0.5));
  }

  lastSeq = () => this.#read((store) => store.lastSeq());
  messageIdKey = () => this.#read((store) => store.messageIdKey());
  findSent: MessageStore["findSent"] = (pairs) => this.#read((store) => store.findSent(pairs));
  hasAudit: MessageStore["hasAudit"] = (mesh, hash) =>
    this.#read((store) => store.hasAudit(mesh, hash));
  auditHead: MessageStore["auditHead"] = (mesh) => this.#read((store) => store.auditHead(mesh));
  cursors: MessageStore["cursors"] = (mesh) => this.#read((store) => store.cursors(mesh));
  openMessages: MessageStore["openMessages"] = (mesh, from, limit) =>
    this.#read((store) => store.openMessages(mesh, from, limit));
  bodies: MessageStore["bodies"] = (mesh, seqs) => this.#read((store) => store.bodies(mesh, seqs));
  findOwn: MessageStore["findOwn"] = (mesh, sender, wanted) =>
    this.#read((store) => store.findOwn(mesh, sender, wanted));
  receiptsOf: MessageStore["receiptsOf"] = (mesh, seq, numbers) =>
    this.#read((store) => store.receiptsOf(mesh, seq, numbers));
  purge: MessageStore["purge"] = (before, after, limit) =>
    this.#read((store) => store.purge(before, after, limit));

  #read<T>(run: (store: MessageStore) => Promise<T>): Promise<T> {
    return this.#call(() => run(this.#inner), false);
  }

  /** Runs a call some time from now and answers some time after. */
  #call<T>(run: () => Promise<T>, runsDespiteFault: boolean): Promise<T> {
    const { clock, random, track } = this.#world;
    const fails = random.chance(this.#world.faultRate());
    const [before, after] = [random.between(0, 6), random.between(0, 3)];
    return new Promise((resolve, reject) => {
      const answer = (act: () => void) => {
        clock.after(after, () => {
          if (!this.#crashed) act();
        });
      };
      const lost = () => answer(() => reject(new SqlError("unavailable", "the line is down")));
      clock.after(before, () => {
        if (this.#crashed) return;
        if (fails && !runsDespiteFault) {
          this.#commitUnderWay = null;
          lost();
          return;
        }
        const work = run().then(
          (value) => fails ? lost() : answer(() => resolve(value)),
          (error) => answer(() => reject(error)),
        );
        track(work);
      });
    });
  }
}
