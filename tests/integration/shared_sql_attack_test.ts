/**
 * A member's SQL tries to read another mesh, the broker's tables, files and the network, to become somebody else, to hang
 * and to exhaust, on both drivers, and gets nowhere.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import type { MemberSqlResult, MeshDatabases } from "../../storage/mesh_database/port.ts";
import { SqlError } from "../../storage/sql/port.ts";
import { meshDatabasesTest, type TestMeshDatabases } from "../support/mesh_databases.ts";

const BOUNDS = { timeoutMs: 10_000, maxRows: 1_000, maxBytes: 1_048_576 };
/** Stands in everything that the attacker must not see. */
const CANARY = "canary-7f3a";
const WORK = { timeoutMs: 10_000 };

/** `{victim}` is the other mesh's schema, `{self}` the attacker's role. */
const READ_ANOTHER_MESH = [
  'SELECT * FROM "{victim}".secrets',
  'COPY "{victim}".secrets TO STDOUT',
  "SELECT query_to_xml('SELECT * FROM \"{victim}\".secrets', true, false, '')",
  "SELECT table_to_xml('\"{victim}\".secrets', true, false, '')",
  "SELECT schema_to_xml('{victim}', true, false, '')",
  "SELECT database_to_xml(true, false, '')",
  "SELECT * FROM pg_stats WHERE tablename = 'secrets'",
  "SELECT * FROM pg_statistic",
  "SELECT most_common_vals FROM pg_stats_ext",
  "SELECT * FROM information_schema.columns WHERE table_schema NOT IN ('information_schema', 'pg_catalog')",
  "SELECT * FROM information_schema.views WHERE table_schema NOT IN ('information_schema', 'pg_catalog')",
  "SELECT * FROM information_schema.routines WHERE routine_schema NOT IN ('information_schema', 'pg_catalog')",
  "SELECT prosrc FROM pg_proc WHERE prosrc LIKE '%canary%'",
  "SELECT * FROM pg_views WHERE definition LIKE '%canary%'",
  "SELECT description FROM pg_description WHERE description LIKE '%canary%'",
  "SELECT pg_get_viewdef(n::oid) FROM generate_series(16384, 30000) n",
  "SELECT pg_get_functiondef(n::oid) FROM generate_series(16384, 30000) n",
  "SELECT pg_get_constraintdef(n::oid) FROM generate_series(16384, 30000) n",
  "SELECT obj_description(n::oid, 'pg_class') FROM generate_series(16384, 30000) n",
  "SELECT query FROM pg_stat_activity",
  "SELECT * FROM pg_stat_get_activity(NULL)",
  'CREATE VIEW peek AS SELECT * FROM "{victim}".secrets',
  'CREATE TABLE peek (LIKE "{victim}".secrets INCLUDING ALL)',
  'CREATE TABLE peek () INHERITS ("{victim}".secrets)',
  'CREATE TABLE peek (n int REFERENCES "{victim}".secrets)',
  'CREATE RULE peek AS ON INSERT TO "{victim}".secrets DO INSTEAD NOTHING',
  "DO $$ BEGIN EXECUTE 'SELECT * FROM \"{victim}\".secrets'; END $$",
  'LOCK TABLE "{victim}".secrets',
  "INSERT INTO \"{victim}\".secrets VALUES (9, 'forged')",
  "UPDATE \"{victim}\".secrets SET word = 'forged'",
  'TRUNCATE "{victim}".secrets',
  'DROP SCHEMA "{victim}" CASCADE',
  'ALTER SCHEMA "{victim}" RENAME TO mine',
  'GRANT USAGE ON SCHEMA "{victim}" TO PUBLIC',
  'ALTER TABLE "{victim}".secrets OWNER TO CURRENT_USER',
  "SELECT * FROM program.kept",
  "SELECT * FROM mesh.member",
  "SELECT * FROM mesh.migration",
  "DELETE FROM mesh.message_queue",
  "CREATE TABLE mesh.mine (n int)",
  "CREATE TABLE public.mine (n int)",
  "CREATE FUNCTION public.now() RETURNS text LANGUAGE sql AS 'SELECT 1::text'",
  "CREATE OR REPLACE FUNCTION mesh_tenant.used_bytes() RETURNS bigint LANGUAGE sql AS 'SELECT 0::bigint'",
  "DROP FUNCTION mesh_tenant.used_bytes()",
  "ALTER SCHEMA mesh_tenant RENAME TO gone",
  "UPDATE pg_class SET relacl = NULL",
];

const REACH_FILES_AND_NETWORK = [
  "SELECT pg_read_file('{file}')",
  "SELECT pg_read_file('PG_VERSION')",
  "SELECT pg_read_binary_file('{file}')",
  "SELECT pg_ls_dir('.')",
  "SELECT pg_ls_waldir()",
  "SELECT pg_ls_tmpdir()",
  "SELECT pg_stat_file('{file}')",
  "SELECT lo_import('{file}')",
  "SELECT lo_export(1, '/tmp/claudemesh-out')",
  "SELECT lo_from_bytea(0, 'x')",
  "CREATE TABLE lines (line text)",
  "COPY lines FROM '{file}'",
  "COPY lines FROM '/dev/blob'",
  "COPY lines TO '/tmp/claudemesh-out'",
  "COPY lines FROM PROGRAM 'cat {file}'",
  "COPY (SELECT 1) TO PROGRAM 'sh -c true'",
  "CREATE TABLESPACE mine LOCATION '/tmp'",
  "LOAD '/tmp/evil.so'",
  "LOAD 'age'",
  "CREATE FUNCTION evil() RETURNS int LANGUAGE c AS '/tmp/evil.so', 'evil'",
  "CREATE FUNCTION evil() RETURNS int LANGUAGE internal AS 'pg_read_file'",
  "CREATE LANGUAGE plperlu",
  "CREATE EXTENSION dblink",
  "CREATE EXTENSION file_fdw",
  "CREATE EXTENSION postgres_fdw",
  "SELECT dblink_connect('host=127.0.0.1')",
  "CREATE FOREIGN DATA WRAPPER mine",
  "CREATE SUBSCRIPTION mine CONNECTION 'host=127.0.0.1' PUBLICATION p",
  "CREATE PUBLICATION mine FOR ALL TABLES",
  "CREATE TEXT SEARCH DICTIONARY mine (TEMPLATE = synonym, SYNONYMS = '../../etc/passwd')",
  `SELECT xmlparse(DOCUMENT '<!DOCTYPE a [<!ENTITY x SYSTEM "file://{file}">]><a>&x;</a>')`,
  "SELECT current_setting('data_directory')",
  "SELECT current_setting('hba_file')",
  "SELECT * FROM pg_hba_file_rules",
  "SELECT * FROM pg_file_settings",
  "SELECT pg_current_logfile()",
  "SELECT inet_server_addr()",
  "SELECT pg_export_snapshot()",
];

const BECOME_SOMEBODY_ELSE = [
  "SET ROLE postgres",
  'SET ROLE "{victim}"',
  "SET ROLE pg_read_server_files",
  "SET SESSION AUTHORIZATION postgres",
  'SET SESSION AUTHORIZATION "{victim}"',
  "SELECT set_config('role', 'postgres', false)",
  "SELECT set_config('session_authorization', 'postgres', false)",
  "DO $$ BEGIN EXECUTE 'SET ROLE postgres'; END $$",
  "DO $$ BEGIN PERFORM set_config('role', 'postgres', true); END $$",
  "CREATE FUNCTION up() RETURNS text LANGUAGE sql SET role = 'postgres' AS 'SELECT current_user::text'",
  "CREATE FUNCTION up() RETURNS text LANGUAGE sql SET session_authorization = 'postgres' AS 'SELECT 1::text'",
  "ALTER ROLE CURRENT_USER SUPERUSER",
  "ALTER ROLE CURRENT_USER CREATEROLE CREATEDB BYPASSRLS",
  "ALTER ROLE \"{victim}\" PASSWORD 'known'",
  "ALTER ROLE postgres PASSWORD 'known'",
  "ALTER ROLE CURRENT_USER CONNECTION LIMIT 1000",
  "ALTER ROLE CURRENT_USER RENAME TO postgres2",
  "ALTER ROLE CURRENT_USER SET temp_file_limit = -1",
  "CREATE ROLE mine SUPERUSER",
  "DROP ROLE postgres",
  "GRANT postgres TO CURRENT_USER",
  "GRANT pg_execute_server_program TO CURRENT_USER",
  "REASSIGN OWNED BY postgres TO CURRENT_USER",
  "DROP OWNED BY postgres",
  "ALTER DEFAULT PRIVILEGES FOR ROLE postgres GRANT ALL ON TABLES TO PUBLIC",
  "ALTER SYSTEM SET work_mem = '1GB'",
  "ALTER DATABASE postgres SET search_path = mine",
  "CREATE DATABASE mine",
  "CREATE SCHEMA mine",
  "CREATE EVENT TRIGGER mine ON ddl_command_start EXECUTE FUNCTION up()",
  "CREATE CAST (text AS int4) WITH INOUT",
  "SET session_replication_role = replica",
  "SET allow_system_table_mods = on",
  "SET log_min_messages = debug5",
  "SET session_preload_libraries = 'evil'",
  "SELECT pg_reload_conf()",
  "SELECT pg_promote()",
  "SELECT pg_terminate_backend({operatorPid})",
  "SELECT pg_cancel_backend({operatorPid})",
  "SELECT pg_switch_wal()",
  "SELECT pg_create_physical_replication_slot('mine')",
  "SELECT pg_logical_emit_message(true, 'x', 'y')",
  "SELECT pg_advisory_lock(109257171886706)",
  "SELECT pg_try_advisory_xact_lock(1)",
  "SELECT pg_advisory_xact_lock_shared(1, 2)",
  "CREATE TEMP TABLE scratch (n int)",
  "PREPARE TRANSACTION 'mine'",
  "CHECKPOINT",
  "VACUUM FULL",
];

interface Scene {
  readonly attack: (text: string, readOnly: boolean) => Promise<MemberSqlResult>;
  /** Puts the names of this run into an attack. */
  readonly aimed: (text: string) => string;
}

async function prepare(test: TestMeshDatabases): Promise<Scene> {
  const { databases, operator } = test;
  for (const text of victimsSecrets()) await execute(databases, "victim", text);
  await databases.batch("attacker", [
    { text: "CREATE TABLE kept (word text)" },
    { text: "INSERT INTO kept VALUES ($1)", params: [CANARY] },
  ], WORK);
  const file = await plantFile(test.folder);
  if (operator !== null) await plantMember(operator);
  const [row] = await operator?.query<{ pid: number }>("SELECT pg_backend_pid() AS pid") ?? [];
  return {
    attack: (text, readOnly) => databases.run("attacker", { text, readOnly, bounds: BOUNDS }),
    aimed: (text) =>
      text.replaceAll("{victim}", "meshdb_victim").replaceAll("{file}", file)
        .replaceAll("{operatorPid}", String(row?.pid ?? 1)),
  };
}

function victimsSecrets(): string[] {
  return [
    "CREATE TABLE secrets (n int PRIMARY KEY, word text)",
    `INSERT INTO secrets SELECT n, '${CANARY}' FROM generate_series(1, 100) n`,
    `CREATE VIEW hints AS SELECT '${CANARY}'::text AS word, n FROM secrets`,
    `CREATE FUNCTION hint() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN '${CANARY}'; END $$`,
    `ALTER TABLE secrets ADD CONSTRAINT named CHECK (word = '${CANARY}')`,
    `COMMENT ON TABLE secrets IS '${CANARY}'`,
    "ANALYZE secrets",
  ];
}

async function plantFile(folder: string | null): Promise<string> {
  if (folder === null) return "/etc/passwd";
  const path = join(folder, "secret.txt");
  await Deno.writeTextFile(path, CANARY);
  return path;
}

async function plantMember(operator: NonNullable<TestMeshDatabases["operator"]>): Promise<void> {
  await operator.query(
    `INSERT INTO mesh.mesh (id, slug, name, owner_pubkey, custody, created_at)
     VALUES ('m1', 'm1', $1, repeat('a', 64), 'members', now())`,
    [CANARY],
  );
}

async function execute(
  databases: MeshDatabases,
  meshId: string,
  text: string,
): Promise<unknown[][]> {
  const { rows } = await databases.run(meshId, { text, readOnly: false, bounds: BOUNDS });
  return rows as unknown[][];
}

/** Runs every attack as a reading and as a changing statement; the canary must come back by neither. */
async function attackAll(scene: Scene, attacks: readonly string[]): Promise<string[]> {
  const allowed: string[] = [];
  for (const template of attacks) {
    const text = scene.aimed(template);
    for (const readOnly of [true, false]) {
      let said: string;
      try {
        const result = await scene.attack(text, readOnly);
        said = JSON.stringify(result);
        if (!readOnly) allowed.push(template);
      } catch (error) {
        assert.ok(error instanceof SqlError, `${text}: ${error}`);
        assert.ok(error.kind !== "unavailable", `${text}: ${error.message}`);
        said = error.message;
      }
      assert.ok(!said.includes(CANARY), `${text} tells: ${said.slice(0, 300)}`);
      assert.ok(!said.includes("root:x:0"), `${text} reads a file`);
    }
  }
  return allowed;
}

async function requireUnharmed(test: TestMeshDatabases): Promise<void> {
  const { databases, operator } = test;
  const secrets = await execute(
    databases,
    "victim",
    "SELECT count(*), min(word), max(word) FROM secrets",
  );
  assert.deepEqual(secrets, [[100, CANARY, CANARY]]);
  const [[self] = []] = await Promise.all([execute(databases, "attacker", "SELECT current_user")]);
  assert.match(String(self), /^(member|meshdb_attacker)$/);
  assert.deepEqual(
    await databases.batch("attacker", [{ text: "SELECT word FROM kept" }], WORK),
    [[{ word: CANARY }]],
  );
  if (operator === null) return;
  assert.deepEqual(
    await operator.query("SELECT name FROM mesh.mesh WHERE id = 'm1'"),
    [{ name: CANARY }],
  );
  const roles = await operator.query(
    `SELECT rolname::text FROM pg_roles
     WHERE rolname LIKE 'meshdb%' AND (rolsuper OR rolcreaterole OR rolcreatedb OR rolbypassrls OR rolreplication)`,
  );
  assert.deepEqual(roles, []);
  const [locks] = await operator.query<{ free: boolean }>(
    "SELECT pg_try_advisory_xact_lock(109257171886706) AS free",
  );
  assert.equal(locks?.free, true);
}

meshDatabasesTest(
  "another mesh, the program's tables and the broker's are out of reach",
  async (test) => {
    const scene = await prepare(test);
    const allowed = await attackAll(scene, READ_ANOTHER_MESH);
    // Views that show each role its own.
    const harmless =
      /information_schema|pg_stats|database_to_xml|pg_(proc|views|description) |pg_get_|obj_description/;
    assert.deepEqual(allowed.filter((text) => !harmless.test(text)), []);
    await requireUnharmed(test);
  },
);

meshDatabasesTest("files, programs and the network are out of reach", async (test) => {
  const scene = await prepare(test);
  const allowed = await attackAll(scene, REACH_FILES_AND_NETWORK);
  const harmless = ["CREATE TABLE lines (line text)"];
  const left = allowed.filter((text) => !harmless.includes(text) && !text.includes("xmlparse"));
  assert.deepEqual(left, []);
  await requireUnharmed(test);
});

meshDatabasesTest("nobody becomes somebody else, or takes what is not the mesh's", async (test) => {
  const scene = await prepare(test);
  const allowed = await attackAll(scene, BECOME_SOMEBODY_ELSE);
  // The embedded database has no other process than its own.
  const harmless = test.operator === null ? /pg_(terminate|cancel)_backend/ : /^$/;
  assert.deepEqual(allowed.filter((text) => !harmless.test(text)), []);
  await requireUnharmed(test);
});

meshDatabasesTest("a role that spoils its own settings and password is mended", async (test) => {
  const { databases } = test;
  await execute(databases, "attacker", "SELECT 1");
  for (
    const text of [
      "ALTER ROLE CURRENT_USER PASSWORD 'spoilt'",
      "ALTER ROLE CURRENT_USER SET statement_timeout = '1ms'",
      "ALTER ROLE CURRENT_USER SET search_path = nowhere",
      "ALTER ROLE CURRENT_USER SET default_transaction_read_only = on",
      "ALTER ROLE CURRENT_USER VALID UNTIL '2001-01-01'",
    ]
  ) {
    await execute(databases, "attacker", text).catch((error) =>
      assert.ok(error instanceof SqlError)
    );
  }
  // Ends the session, so that the next statement has to log in anew.
  await assert.rejects(databases.run("attacker", {
    text:
      "DO $$ BEGIN LOOP BEGIN PERFORM pg_sleep(9); EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; END $$",
    readOnly: false,
    bounds: { ...BOUNDS, timeoutMs: 300 },
  }));
  await execute(databases, "attacker", "CREATE TABLE again (n int)");
  assert.deepEqual(await execute(databases, "attacker", "SELECT count(*) FROM again"), [[0]]);
});

/** Each ends with an error or a small answer, in bounded time, and does not take the neighbours along. */
const EXHAUST = [
  "SELECT length(repeat('x', 1000000000))",
  "SELECT repeat('x', 900000000)",
  "SELECT string_agg(repeat('x', 1000000), '') FROM generate_series(1, 2000)",
  "SELECT array_agg(repeat('x', 1000000)) FROM generate_series(1, 2000)",
  "SELECT array_fill(1, ARRAY[10000, 10000])",
  "SELECT count(*) FROM (SELECT DISTINCT a, b FROM generate_series(1, 5000) a, generate_series(1, 5000) b) s",
  "SELECT * FROM generate_series(1, 100000) a, generate_series(1, 100000) b ORDER BY random()",
  "SELECT repeat('[', 1000000)::json",
  "SELECT repeat('(', 100000) || '1' || repeat(')', 100000)",
  "SELECT repeat('a', 5000) ~ '(a*)*(a*)*(a*)*b'",
  "SELECT 10::numeric ^ 100000 ^ 2",
  "SELECT factorial(100000)",
  "SELECT set_config('work_mem', '2000GB', false), count(*) FROM (SELECT a, b FROM generate_series(1, 4000) a, generate_series(1, 4000) b ORDER BY b, a) s",
  "WITH RECURSIVE r(t) AS (SELECT 'x' UNION ALL SELECT t || t FROM r) SELECT max(length(t)) FROM r",
  "DO $$ BEGIN FOR n IN 1..1000000 LOOP EXECUTE format('CREATE TABLE many_%s (n int)', n); END LOOP; END $$",
  "DO $$ BEGIN FOR n IN 1..10000000 LOOP EXECUTE format('NOTIFY flood, %L', n || repeat('x', 7000)); END LOOP; END $$",
  "DO $$ BEGIN FOR n IN 1..10000000 LOOP RAISE NOTICE '%', repeat('x', 10000); END LOOP; END $$",
  "DO $$ BEGIN FOR n IN 1..10000000 LOOP RAISE LOG '%', repeat('x', 10000); END LOOP; END $$",
  "CREATE FUNCTION deep(n int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN deep(n + 1); END $$",
  "SELECT deep(1)",
  "CREATE TABLE hoard (filler text)",
  "INSERT INTO hoard SELECT repeat('x', 2000) FROM generate_series(1, 1000000)",
  `SELECT ${
    Array.from({ length: 1_600 }, (_, index) => `repeat('x', 1000) AS c${index}`).join(", ")
  } FROM generate_series(1, 1000)`,
];

meshDatabasesTest(
  "what would hang or exhaust is cut off, and the neighbours go on",
  async (test) => {
    const scene = await prepare(test);
    const { databases, operator } = test;
    for (const text of EXHAUST) {
      const startedMs = performance.now();
      const attack = databases.run("attacker", {
        text,
        readOnly: false,
        bounds: { ...BOUNDS, timeoutMs: 1_000 },
      }).then(
        (result) => assert.ok(JSON.stringify(result.rows).length < 2 * BOUNDS.maxBytes, text),
        (error) => {
          assert.ok(error instanceof SqlError, `${text}: ${error}`);
          assert.ok(error.kind !== "unavailable", `${text}: ${error.message}`);
        },
      );
      const neighbour = execute(databases, "victim", "SELECT count(*) FROM secrets");
      const broker = operator?.query("UPDATE mesh.mesh SET name = name WHERE id = 'm1'");
      assert.deepEqual(await neighbour, [[100]]);
      await Promise.all([attack, broker]);
      assert.ok(performance.now() - startedMs < 30_000, text);
    }
    assert.deepEqual(await scene.attack("SELECT 1", true).then(({ rows }) => rows), [[1]]);
    await requireUnharmed(test);
  },
  { diskBytes: 50_000_000 },
);
