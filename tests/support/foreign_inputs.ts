/**
 * Inputs of operations that name things of another mesh, made from inputs that are good in one's own.
 */
import type { Op } from "../../broker/api/op.ts";

export type Input = Readonly<Record<string, unknown>>;
type Path = readonly (string | number)[];

/** Fields that no operation has, in which a careless broker might look for a mesh. */
export function misleading(meshId: string, memberId: string): Input {
  return { meshId, mesh_id: meshId, mesh: meshId, memberId, sessionId: memberId };
}

/** Where an input holds a text, or has a name that was chosen freely. */
export interface Place {
  readonly path: Path;
  /** Null: the name is what is replaced. */
  readonly text: string | null;
}

/** All places of an input, and the fields of the contract that it leaves out. */
export function placesOf(op: Op, input: Input): Place[] {
  const missing = Object.keys(op.input.shape).filter((name) => !(name in input));
  return [...placesIn(input, []), ...missing.map((name) => ({ path: [name], text: "" }))];
}

function* placesIn(value: unknown, path: Path): Generator<Place> {
  if (typeof value === "string") yield { path, text: value };
  if (typeof value !== "object" || value === null) return;
  for (const [name, inner] of Object.entries(value)) {
    const here = [...path, Array.isArray(value) ? Number(name) : name];
    // Field names of the contract itself are not chosen; the contract's parser leaves such inputs out.
    if (path.length > 0 && !Array.isArray(value)) yield { path: here, text: null };
    yield* placesIn(inner, here);
  }
}

/** The input with `value` at a place, alone or in a list; null when the contract refuses both. */
export function replaced(op: Op, input: Input, place: Place, value: string): Input | null {
  for (const candidate of [value, [value]]) {
    const changed = place.text === null
      ? renamed(input, place.path, value)
      : withValue(input, place.path, candidate);
    if (op.input.safeParse(changed).success) return changed as Input;
  }
  return null;
}

function withValue(within: unknown, path: Path, value: unknown): unknown {
  const [head, ...rest] = path;
  if (head === undefined) return value;
  if (Array.isArray(within)) {
    return within.map((each, index) => index === head ? withValue(each, rest, value) : each);
  }
  const fields = within as Input;
  return { ...fields, [head]: withValue(fields[head], rest, value) };
}

function renamed(within: unknown, path: Path, name: string): unknown {
  const parent = path.slice(0, -1);
  const last = path.at(-1);
  let fields: unknown = within;
  for (const step of parent) fields = (fields as Record<string | number, unknown>)[step];
  const entries = Object.entries(fields as Input).map(([key, value]) =>
    [key === last ? name : key, value] as const
  );
  return withValue(within, parent, Object.fromEntries(entries));
}
