import { EventEmitter, once } from 'node:events';
import { GraphQLError } from 'graphql';
import { expect, vi } from 'vitest';
import type { Front } from '../helpers/front.ts';
import type { TestSubgraph, TestSubscriptionContext } from '../helpers/subgraph.ts';

const federation = 'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key"])';

/** The subgraph `prices`: what it tells of can be read again from any cursor, but for `ticked`. */
export const pricesSchema = (more = '') => `${federation}
  type Query { changes: Int! }
  type Subscription {
    priceChanged(sku: ID, after: String): PriceEvent!
    told(after: String): News!
    ticked: Tick!
  }
  interface PriceEvent { cursor: String! note: String product: Product! }
  type PriceChange implements PriceEvent { cursor: String! note: String amount: Int! product: Product! ${more} }
  type Correction implements PriceEvent { cursor: String! note: String product: Product! }
  union News = PriceChange | Correction
  type Tick { number: Int! product: Product! }
  type Product @key(fields: "sku") { sku: ID! }
`;

/** The subgraph `catalogue`. */
export const catalogueSchema = (more = '') => `${federation}
  type Query { product(sku: ID!): Product }
  type Product @key(fields: "sku") { sku: ID! name: String ${more} }
`;

/** One thing that the subgraph tells. */
interface PriceEntry {
  readonly kind: 'PriceChange' | 'Correction';
  readonly sku: string;
  readonly amount: number;
  readonly note: string | null;
}

/** Feed that all instances of `prices` tell, as if it were in a database that they share. */
export interface Feed {
  change(amount: number, options?: { sku?: string; note?: string }): void;
  correct(note: string): void;
  tick(): void;
  /** Cursor after the latest. */
  readonly cursor: string;
  /** Subscriptions that are open, over all instances, but for those of `ticked`. */
  readonly readers: number;
  /** The cursors that they were opened after, since it was last asked. */
  takeStarts(): (string | null)[];
  readonly resolvers: object;
}

/** An entry as each subscription tells of it. */
const newsOf = (entry: object) => ({ priceChanged: entry, told: entry });
const productOf = ({ sku }: { readonly sku: string }) => ({ sku });

/** Makes a feed. */
export function createFeed(): Feed {
  const entries: PriceEntry[] = [];
  const bell = new EventEmitter().setMaxListeners(0);
  let starts: (string | null)[] = [];
  let readers = 0;
  let ticks = 0;

  function put(entry: PriceEntry): void {
    entries.push(entry);
    bell.emit('entry');
  }

  async function* read(sku: string | null, from: number, stop: AbortSignal) {
    for (let position = from; !stop.aborted; ) {
      const entry = entries[position];
      if (entry) {
        position += 1;
        if (sku === null || entry.sku === sku) yield newsOf({ ...entry, cursor: String(position) });
      } else await once(bell, 'entry', { signal: stop }).catch(() => {});
    }
  }

  function follow(
    { sku = null, after = null }: { sku?: string | null; after?: string | null },
    context: TestSubscriptionContext,
  ) {
    const from = after === null ? entries.length : Number(after);
    const stop = new AbortController();
    const events = read(sku, from, stop.signal);
    context.startCursor = String(from);
    starts.push(after);
    readers += 1;
    return {
      next: () => events.next(),
      return() {
        if (!stop.signal.aborted) readers -= 1;
        stop.abort();
        return events.return(undefined);
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  const subscribe = (_root: unknown, args: object, context: TestSubscriptionContext) => follow(args, context);

  async function* tickOn() {
    for (;;) {
      await once(bell, 'tick');
      yield { ticked: { number: ticks, sku: 'PEN' } };
    }
  }

  return {
    change: (amount, { sku = 'PEN', note } = {}) =>
      put({ kind: 'PriceChange', sku, amount, note: note ?? null }),
    correct: note => put({ kind: 'Correction', sku: 'PEN', amount: 0, note }),
    tick() {
      ticks += 1;
      bell.emit('tick');
    },
    get cursor() {
      return String(entries.length);
    },
    get readers() {
      return readers;
    },
    takeStarts() {
      const taken = starts;
      starts = [];
      return taken;
    },
    resolvers: {
      Query: { changes: () => entries.length },
      Subscription: {
        priceChanged: { subscribe },
        told: { subscribe },
        ticked: { subscribe: tickOn },
      },
      PriceEvent: { __resolveType: ({ kind }: PriceEntry) => kind },
      News: { __resolveType: ({ kind }: PriceEntry) => kind },
      PriceChange: { product: productOf, currency: () => 'EUR' },
      Correction: { product: productOf },
      Tick: { product: productOf },
    },
  };
}

/** Creates the catalogue; `fails` makes it answer with an error. */
export function createCatalogue() {
  const catalogue = {
    fails: false,
    resolvers: {
      Query: { product: (_root: unknown, { sku }: { sku: string }) => ({ sku }) },
      Product: {
        __resolveReference: ({ sku }: { sku: string }) => ({ sku }),
        name({ sku }: { sku: string }) {
          if (catalogue.fails) throw new GraphQLError('The catalogue is closed');
          return `a ${sku.toLowerCase()}`;
        },
        colour: () => 'blue',
      },
    },
  };
  return catalogue;
}

/** Registers one instance of `prices` under a version of its schema. */
export async function servePrices(
  front: Front,
  feed: Feed,
  instance: string,
  more = '',
): Promise<TestSubgraph> {
  const prices = await front.serve({
    name: 'prices',
    instance,
    typeDefs: pricesSchema(more),
    resolvers: feed.resolvers,
    metadata: { subgraph: 'prices', 'schema.hash': `prices${more.length}` },
  });
  await prices.register();
  return prices;
}

/** Registers `catalogue`. */
export async function serveCatalogue(front: Front, resolvers: object, more = ''): Promise<TestSubgraph> {
  const catalogue = await front.serve({
    name: 'catalogue',
    typeDefs: catalogueSchema(more),
    resolvers,
    metadata: { subgraph: 'catalogue', 'schema.hash': `catalogue${more.length}` },
  });
  await catalogue.register();
  return catalogue;
}

/** Waits, before the tests of a file, until the graph has that many subgraphs. */
export async function waitForSubgraphs(front: Front, count: number): Promise<void> {
  await vi.waitFor(async () => {
    expect((await front.supergraph()).subgraphs).toHaveLength(count);
    expect((await front.anyone.request('{ __typename }')).errors).toBeUndefined();
  }, 10_000);
}
