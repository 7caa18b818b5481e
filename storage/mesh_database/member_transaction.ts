/**
 * A member's statement as one transaction: the same steps on every driver, over PostgreSQL's wire protocol. The session
 * must already have the mesh's rights and no others.
 */
import { bindEncoded } from "../sql/bind_writer.ts";
import type { WireWriter } from "../sql/wire_writer.ts";
import { SqlError } from "../sql/port.ts";
import type { MemberReply } from "./member_reply.ts";
import { builtInTypeName } from "./member_values.ts";
import type { MemberSqlBounds, MemberSqlColumn, MemberSqlResult } from "./port.ts";

/** A member's statement with every bound named. */
export interface BoundedMemberSql {
  readonly text: string;
  readonly readOnly: boolean;
  readonly bounds: Required<MemberSqlBounds>;
}

/** A session of PostgreSQL. */
export interface MemberWire {
  /** Sends what `write` writes, and reads the answer to its end within the bounds. */
  ask(write: (writer: WireWriter) => void, bounds: AnswerBounds): Promise<MemberReply>;
}

/** What is kept of an answer. */
export interface AnswerBounds extends Required<Omit<MemberSqlBounds, "timeoutMs">> {
  /** Whether the rest of an answer may be thrown away with its session, when it is cut and changes nothing. */
  readonly mayBreakOff: boolean;
}

const NO_PARAMS = bindEncoded([]);

/** Of the program's own questions here. */
const SMALL: AnswerBounds = { maxRows: 2_000, maxBytes: 262_144, skipRows: 0, mayBreakOff: false };

/** Where a member's statement runs. */
export interface MemberPlace {
  /** The search path, as SQL. */
  readonly searchPath: string;
  /** What the mesh's tables and indexes may take; a statement that makes them grow beyond it is undone. */
  readonly diskBytes: number;
}

/**
 * Runs the statement and commits it.
 * @throws {SqlError} as PostgreSQL refused it; `full` when the mesh's share of the disk is used up. Nothing is kept then.
 */
export async function runMemberSql(
  wire: MemberWire,
  sql: BoundedMemberSql,
  place: MemberPlace,
): Promise<MemberSqlResult> {
  const before = await begin(wire, sql, place);
  const reply = await wire.ask((writer) => {
    writer.parse("", sql.text);
    // What changes rows runs to its end, so that it can tell how many.
    writer.execute("", NO_PARAMS, sql.readOnly ? sql.bounds.skipRows + sql.bounds.maxRows + 1 : 0);
    writer.copyFail();
    writer.sync();
  }, { ...sql.bounds, mayBreakOff: sql.readOnly });
  if (reply.isBrokenOff) return { ...resultOf(reply), columns: knownColumns(reply) };
  if (reply.failure !== null) {
    await script(wire, "ROLLBACK");
    throw reply.failure;
  }
  if (reply.tag === "PREPARE TRANSACTION") await undoPrepared(wire);
  const columns = await columnsOf(wire, reply);
  if (!sql.readOnly) await requireRoom(wire, before, place);
  await script(wire, "COMMIT");
  return { ...resultOf(reply), columns };
}

/** @returns the size of the mesh's tables; not asked for where nothing can grow. */
async function begin(wire: MemberWire, sql: BoundedMemberSql, place: MemberPlace): Promise<number> {
  await script(
    wire,
    `BEGIN ISOLATION LEVEL READ COMMITTED READ ${sql.readOnly ? "ONLY" : "WRITE"};
     SET LOCAL search_path = ${place.searchPath};
     SET LOCAL statement_timeout = ${Math.ceil(sql.bounds.timeoutMs)}`,
  );
  // A snapshot is taken with it, after which a transaction can no longer be made READ WRITE.
  return await usedBytes(wire);
}

/** A prepared transaction would outlive its session, with its locks. Few servers have them switched on. */
async function undoPrepared(wire: MemberWire): Promise<never> {
  const { rows } = await script(
    wire,
    `SELECT pg_catalog.quote_literal(gid) FROM pg_catalog.pg_prepared_xact()
     WHERE ownerid = pg_catalog.quote_ident(session_user)::pg_catalog.regrole`,
  );
  for (const [gid] of rows) await script(wire, `ROLLBACK PREPARED ${gid}`);
  throw new SqlError("invalid", "transactions cannot be prepared here", "0A000");
}

async function requireRoom(wire: MemberWire, before: number, { diskBytes }: MemberPlace) {
  const after = await usedBytes(wire);
  if (after <= diskBytes || after <= before) return;
  await script(wire, "ROLLBACK");
  throw new SqlError("full", `the statement would make the mesh's tables ${after} bytes large`);
}

async function usedBytes(wire: MemberWire): Promise<number> {
  const { rows: [row] } = await script(wire, "SELECT mesh_tenant.used_bytes()");
  return Number(row?.[0]);
}

async function script(wire: MemberWire, text: string): Promise<MemberReply> {
  const reply = await wire.ask((writer) => writer.query(text), SMALL);
  if (reply.failure !== null) throw reply.failure;
  return reply;
}

function resultOf(reply: MemberReply): Omit<MemberSqlResult, "columns"> {
  return { rows: reply.rows, rowCount: reply.rowCount, isCut: reply.isCut };
}

function knownColumns({ columns }: MemberReply): MemberSqlColumn[] {
  return columns.map(({ name, typeOid }) => ({ name, type: builtInTypeName(typeOid) ?? "other" }));
}

/** Names the types of the columns; those that no table of ours has are asked for. */
async function columnsOf(wire: MemberWire, reply: MemberReply): Promise<MemberSqlColumn[]> {
  const known = knownColumns(reply);
  const foreign = reply.columns.map(({ typeOid }) => typeOid)
    .filter((oid) => builtInTypeName(oid) === undefined);
  // A member's COMMIT or ROLLBACK has no columns, so the transaction is still there.
  if (foreign.length === 0) return known;
  const oids = [...new Set(foreign)];
  const { rows: [names = []] } = await script(
    wire,
    `SELECT ${oids.map((oid) => `${oid}::pg_catalog.regtype::pg_catalog.text`).join(", ")}`,
  );
  const byOid = new Map(oids.map((oid, index) => [oid, String(names[index])]));
  return reply.columns.map(({ name, typeOid }, index) => ({
    name,
    type: byOid.get(typeOid) ?? known[index]?.type ?? "other",
  }));
}
