import { serveTestSubgraph } from '../../tests/helpers/subgraph.ts';
import { sharedNowMs } from './clock.ts';

/*
 * One of the two subgraphs that all front servers are measured with, registered where it is told to. `ticks` tells of a
 * tick at each message `{ type: 'publish', count }`; `catalogue` names the product of a tick.
 */

const federation = 'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key"])';
const leaseSeconds = 3_600;
const products = 1_000;
const forgetRequestsMs = 1_000;

interface Tick {
  readonly number: number;
  readonly sentAtMs: number;
  readonly product: { readonly sku: string };
}

/** One subscriber's ticks: takes no more memory than it needs, and can be ended while it waits. */
class Ticks implements AsyncIterableIterator<{ ticked: Tick }> {
  static readonly all = new Set<Ticks>();
  #waiting: Tick[] = [];
  #wake: ((result: IteratorResult<{ ticked: Tick }>) => void) | undefined;

  constructor() {
    Ticks.all.add(this);
  }

  put(tick: Tick): void {
    if (this.#wake) this.#wake({ done: false, value: { ticked: tick } });
    else this.#waiting.push(tick);
    this.#wake = undefined;
  }

  next(): Promise<IteratorResult<{ ticked: Tick }>> {
    const tick = this.#waiting.shift();
    if (tick) return Promise.resolve({ done: false, value: { ticked: tick } });
    return new Promise(resolve => {
      this.#wake = resolve;
    });
  }

  return(): Promise<IteratorResult<{ ticked: Tick }>> {
    Ticks.all.delete(this);
    this.#wake?.({ done: true, value: undefined });
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator]() {
    return this;
  }
}

const ticks = {
  typeDefs: `${federation}
    type Query { ticks: Int! }
    type Subscription { ticked: Tick! }
    type Tick { number: Int! sentAtMs: Float! product: Product! }
    type Product @key(fields: "sku") { sku: ID! }`,
  resolvers: { Query: { ticks: () => number }, Subscription: { ticked: { subscribe: () => new Ticks() } } },
};
const catalogue = {
  typeDefs: `${federation}
    type Query { products: Int! }
    type Product @key(fields: "sku") { sku: ID! name: String! }`,
  resolvers: {
    Query: { products: () => products },
    Product: {
      __resolveReference: ({ sku }: { sku: string }) => ({ sku }),
      name: ({ sku }: { sku: string }) => `The product ${sku}`,
    },
  },
};
const [, , name = '', registryUrl = ''] = process.argv;
let number = 0;

process.on('message', ({ type, count }: { type: string; count: number }) => {
  if (type !== 'publish') return;
  for (let published = 0; published < count; published++) {
    number += 1;
    const tick = { number, sentAtMs: sharedNowMs(), product: { sku: `SKU-${number % products}` } };
    for (const subscriber of Ticks.all) subscriber.put(tick);
  }
});
process.on('disconnect', () => process.exit());

const subgraph = await serveTestSubgraph({
  name,
  registryUrl,
  leaseSeconds,
  metadata: { subgraph: name, 'schema.hash': name },
  ...(name === 'ticks' ? ticks : catalogue),
});
setInterval(() => subgraph.takeRequests(), forgetRequestsMs);
await subgraph.register();
process.send?.({ type: 'ready', url: `http://127.0.0.1:${subgraph.port}/graphql` });
