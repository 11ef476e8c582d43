import { createHash } from 'node:crypto';

/** Numbers that look random and are the same for the same seed. */
export interface Random {
  /** A whole number from `min` to `max`, both included. */
  between(min: number, max: number): number;
  /** Tells whether something with this probability, 0 to 1, happens. */
  chance(probability: number): boolean;
  /** One of the items. @throws Error when there is none */
  pick<T>(items: readonly T[]): T;
  /** Another source, which depends on this one's seed and the name only. */
  fork(name: string): Random;
}

/** Makes a source of numbers from a seed: hashes of the seed and a count. */
export function createRandom(seed: string | number): Random {
  let count = 0;
  function next(): number {
    count += 1;
    return createHash('sha256').update(`${seed}/${count}`).digest().readUInt32BE() / 2 ** 32;
  }
  const between = (min: number, max: number) => min + Math.floor(next() * (max - min + 1));
  return {
    between,
    chance: probability => next() < probability,
    pick(items) {
      const item = items[between(0, items.length - 1)];
      if (item === undefined) throw new Error('pick expected at least one item, but got none');
      return item;
    },
    fork: name => createRandom(`${seed}/${name}`),
  };
}
