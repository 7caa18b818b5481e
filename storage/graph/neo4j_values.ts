/**
 * Values of the Neo4j driver as the graph port tells them.
 */
import type { GraphValue } from "./port.ts";

interface Whole {
  readonly low: number;
  readonly high: number;
  toString(): string;
}

interface Entity {
  readonly elementId: string;
  readonly properties: Readonly<Record<string, unknown>>;
}

interface Node extends Entity {
  readonly labels: readonly string[];
}

interface Relationship extends Entity {
  readonly type: string;
  readonly startNodeElementId: string;
  readonly endNodeElementId: string;
}

interface Path {
  readonly start: Node;
  readonly segments: readonly { readonly relationship: Relationship; readonly end: Node }[];
}

/** Makes plain JSON of a value. Values are told by their fields: the driver is loaded only where it is used. */
export function neo4jValue(value: unknown): GraphValue {
  if (value === null || value === undefined) return null;
  if (typeof value === "boolean" || typeof value === "string") return value;
  if (typeof value === "bigint") return numberOf(value.toString());
  if (typeof value === "number") return Number.isFinite(value) ? value : String(value);
  if (Array.isArray(value)) return value.map(neo4jValue);
  if (typeof value !== "object") return String(value);
  if (isWhole(value)) return numberOf(value.toString());
  if ("segments" in value && "start" in value) return path(value as Path);
  if ("labels" in value && "elementId" in value) return node(value as unknown as Node);
  if ("startNodeElementId" in value) return relationship(value as unknown as Relationship);
  // Dates, times, durations and points are classes of the driver's own with a text form.
  if (Object.getPrototypeOf(value) !== Object.prototype) return String(value);
  return fields(value as Record<string, unknown>);
}

function isWhole(value: object): value is Whole {
  return "low" in value && "high" in value && Object.getPrototypeOf(value) !== Object.prototype;
}

function numberOf(text: string): number | string {
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : text;
}

function fields(value: Readonly<Record<string, unknown>>): Record<string, GraphValue> {
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, neo4jValue(each)]));
}

function node({ elementId, labels, properties }: Node): GraphValue {
  return { id: elementId, labels: [...labels], properties: fields(properties) };
}

function relationship(value: Relationship): GraphValue {
  return {
    id: value.elementId,
    type: value.type,
    start: value.startNodeElementId,
    end: value.endNodeElementId,
    properties: fields(value.properties),
  };
}

function path({ start, segments }: Path): GraphValue {
  return {
    nodes: [node(start), ...segments.map(({ end }) => node(end))],
    relationships: segments.map((each) => relationship(each.relationship)),
  };
}
