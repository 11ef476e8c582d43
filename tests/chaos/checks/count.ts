import type { Line } from '../ledger.ts';

/** Counts the items of each name. */
export function countBy<T>(items: readonly T[], nameOf: (item: T) => string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const item of items) counts.set(nameOf(item), (counts.get(nameOf(item)) ?? 0) + 1);
  return counts;
}

/** Takes a name out of the counts. @returns how often it was there, and what is wrong with that when it was not once */
export function takeOnce(counts: Map<string, number>, name: string) {
  const count = counts.get(name) ?? 0;
  counts.delete(name);
  const kind = count === 0 ? ('lost' as const) : count > 1 ? ('duplicated' as const) : undefined;
  return { count, kind };
}

/** Adds a line to the pieces of each sku. */
export function addPieces(pieces: Map<string, number>, { sku, quantity }: Line): void {
  pieces.set(sku, (pieces.get(sku) ?? 0) + quantity);
}

/** Lines as text; in any sequence they are the same. */
export function textOf(lines: readonly Line[]): string {
  return lines
    .map(({ sku, quantity }) => `${quantity} × ${sku}`)
    .sort()
    .join(', ');
}

/** Events without repetitions of the same event, in the order of the first of each. */
export function firstOfEach<T extends { readonly id: string }>(events: readonly T[]): T[] {
  const seen = new Set<string>();
  return events.filter(({ id }) => !seen.has(id) && seen.add(id));
}
