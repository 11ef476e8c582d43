import type { World } from '../federation.ts';

/** An object of the world, with its fields. */
export type Row = Record<string, unknown>;

/** Puts a fault, null or an error, in the place of a value when the run has one at this key. */
export type Maybe = (key: string, value: unknown) => unknown;

/** Subgraphs whose features are those of one kind, over a world with places for faults. */
export interface FeatureFederation {
  readonly subgraphs: Readonly<Record<string, string>>;
  readonly keys?: Readonly<Record<string, readonly string[]>>;
  readonly world: (maybe: Maybe) => World;
}

/** Reads what a representation brought; over one schema, where there is none, the object's own field. */
export function given(row: Row, name: string): unknown {
  const representation = row['given'] as Row | undefined;
  const value = representation && name in representation ? representation[name] : row[name];
  if (value instanceof Error) throw value;
  return value;
}

/** Makes objects, each by its number; the first is 1. */
export const rows = (count: number, make: (n: number) => Row): Row[] =>
  Array.from({ length: count }, (_, index) => make(index + 1));
