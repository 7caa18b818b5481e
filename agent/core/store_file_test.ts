/** SQLite files of the agent: durable, set aside when damaged, honest about a full disk. */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { LocalError } from "./local_error.ts";
import { StoreFile } from "./store_file.ts";

function optionsFor(folder: string) {
  return {
    path: `${folder}/test.db`,
    name: "inbox",
    schema: "create table item (id integer primary key, text text not null) strict",
    version: 1,
    tables: ["item"],
    now: () => 1234,
  };
}

function withFolder(run: (folder: string) => void): void {
  const folder = Deno.makeTempDirSync();
  try {
    run(folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

function fill(store: StoreFile, count: number): void {
  store.transaction(() => {
    for (let id = 1; id <= count; id++) {
      store.run("insert into item (id, text) values (?, ?)", id, "x".repeat(500));
    }
  });
}

function count(store: StoreFile): number {
  return Number(store.first("select count(*) as n from item")?.n);
}

Deno.test("a transaction that throws leaves nothing behind", () =>
  withFolder((folder) => {
    const store = new StoreFile(optionsFor(folder));
    assert.throws(() =>
      store.transaction(() => {
        store.run("insert into item (id, text) values (1, 'a')");
        throw new Error("stop");
      }), /stop/);
    assert.equal(count(store), 0);
    store.close();
  }));

Deno.test("a file that is no database is set aside, named, and begun anew", () =>
  withFolder((folder) => {
    Deno.writeTextFileSync(`${folder}/test.db`, "this is no database ".repeat(100));
    const store = new StoreFile(optionsFor(folder));
    fill(store, 3);
    assert.equal(store.problems.length, 1);
    assert.match(store.problems[0]!, /inbox was damaged.*test\.db\.corrupt-1234/);
    store.close();
    const again = new StoreFile(optionsFor(folder));
    assert.equal(count(again), 3);
    assert.equal(again.problems.length, 1);
    Deno.removeSync(`${folder}/test.db.corrupt-1234`);
    assert.deepEqual(again.problems, []);
    again.close();
  }));

Deno.test("what can still be read of a damaged file is taken over", () =>
  withFolder((folder) => {
    const store = new StoreFile(optionsFor(folder));
    fill(store, 2_000);
    store.close();
    const file = Deno.openSync(`${folder}/test.db`, { read: true, write: true });
    const { size } = file.statSync();
    // The last pages hold the last rows.
    file.seekSync(size - 3 * 4096, Deno.SeekMode.Start);
    file.writeSync(new Uint8Array(3 * 4096).fill(0xff));
    file.close();
    const again = new StoreFile(optionsFor(folder));
    const kept = count(again);
    assert.ok(kept > 1_000 && kept < 2_000, `${kept} rows`);
    assert.equal(again.problems.length, 1);
    again.close();
  }));

Deno.test("damage that shows while it is used is met in the same way, and the work is done again", () =>
  withFolder((folder) => {
    const store = new StoreFile(optionsFor(folder));
    fill(store, 20_000);
    // A write of another connection makes the store forget the pages that it has in memory.
    const other = new DatabaseSync(`${folder}/test.db`);
    other.exec("create table other (id integer); pragma wal_checkpoint(truncate)");
    other.close();
    const file = Deno.openSync(`${folder}/test.db`, { read: true, write: true });
    file.seekSync(2 * 4096, Deno.SeekMode.Start);
    file.writeSync(new Uint8Array(file.statSync().size - 2 * 4096).fill(0xff));
    file.close();
    store.transaction(() => store.run("insert into item (id, text) values (30000, 'late')"));
    assert.equal(store.first("select text from item where id = 30000")?.text, "late");
    assert.match(store.problems[0]!, /damaged/);
    store.close();
  }));

Deno.test("a full disk is told, keeps what is there, and passes", () =>
  withFolder((folder) => {
    const store = new StoreFile(optionsFor(folder));
    fill(store, 10);
    store.all("pragma max_page_count = 6");
    assert.throws(
      () =>
        store.transaction(() => {
          for (let id = 100; id < 400; id++) {
            store.run("insert into item (id, text) values (?, ?)", id, "x".repeat(500));
          }
        }),
      (error) => error instanceof LocalError && error.code === "disk_full",
    );
    assert.match(store.problems[0]!, /disk is full/);
    assert.equal(count(store), 10);
    store.all("pragma max_page_count = 100000");
    store.transaction(() => store.run("insert into item (id, text) values (100, 'x')"));
    assert.deepEqual(store.problems, []);
    store.close();
  }));

Deno.test("a file of a newer program is refused and not touched", () =>
  withFolder((folder) => {
    new StoreFile({ ...optionsFor(folder), version: 7 }).close();
    assert.throws(
      () => new StoreFile(optionsFor(folder)),
      (error) => error instanceof LocalError && /newer program/.test(error.message),
    );
    assert.deepEqual([...Deno.readDirSync(folder)].map((each) => each.name), ["test.db"]);
  }));

Deno.test({
  name: "only its owner may read a store, one that an older program left open too",
  ignore: Deno.build.os === "windows",
  fn: () =>
    withFolder((folder) => {
      const files = () =>
        [...Deno.readDirSync(folder)].map(({ name }) =>
          `${name} ${(Deno.statSync(`${folder}/${name}`).mode! & 0o777).toString(8)}`
        ).sort();
      const store = new StoreFile(optionsFor(folder));
      fill(store, 1);
      const closed = ["test.db 600", "test.db-shm 600", "test.db-wal 600"];
      assert.deepEqual(files(), closed);
      store.close();
      Deno.chmodSync(`${folder}/test.db`, 0o644);
      const again = new StoreFile(optionsFor(folder));
      assert.equal(count(again), 1);
      assert.ok(files().every((each) => each.endsWith(" 600")), files().join());
      again.close();
    }),
});
