import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { freePort } from '../../platform/free-port.ts';
import { describeInstance, fillRegistry } from '../testing/instances.ts';
import {
  federation,
  makeFolder,
  serveSdl,
  startSupergraph,
  type TestSupergraph,
} from '../testing/supergraph.ts';
import { compose } from './composition/compose.ts';
import type { Composition } from './composition/composer.ts';
import { describeFaults } from './state.ts';

// Graphs are composed and loaded for real, which takes its time on a busy machine.
vi.setConfig({ testTimeout: 30_000 });

const items = `${federation} type Query { items: [Item!]! } type Item @key(fields: "id") { id: ID! name: String }`;
const stock = (fields: string) => `${federation} type Item @key(fields: "id") { id: ID! ${fields} }`;
const labelled = (hash: string) => ({ subgraph: 'stock', 'schema.hash': hash });
const served = ({ graph }: TestSupergraph) =>
  graph?.subgraphs.map(({ name, hash }) => `${name}@${hash}`) ?? [];
const patiently = { timeout: 10_000 };
const becomes = (supergraph: TestSupergraph, timeout = patiently.timeout) =>
  expect.poll(() => served(supergraph), { timeout });
const composed = (sdls: Parameters<typeof compose>[0]): Promise<Composition> =>
  Promise.resolve({ outcome: compose(sdls), changes: [] });

/** A subgraph `items`, and two versions of `stock`. */
async function serveVersions() {
  const [base, one, two] = [
    await serveSdl(items),
    await serveSdl(stock('count: Int')),
    await serveSdl(stock('count: Int place: String')),
  ];
  return {
    items: base.describe({ app: 'ITEMS', metadata: { subgraph: 'items', 'schema.hash': 'i1' } }),
    v1: (id: string, registered: number) =>
      one.describe({ id, lastDirtyTimestampMs: registered, metadata: labelled('v1') }),
    v2: (id: string, registered: number) =>
      two.describe({ id, lastDirtyTimestampMs: registered, metadata: labelled('v2') }),
  };
}

test('the first graph is served when what serves graphs is ready for it, and not before', async () => {
  const { items: base } = await serveVersions();
  let ready = () => {};
  let isAsked = false;
  const supergraph = await startSupergraph(fillRegistry(base).view, {
    beforeFirst: () =>
      new Promise(resolve => {
        isAsked = true;
        ready = resolve;
      }),
  });
  await expect.poll(() => isAsked, patiently).toBe(true);
  expect(supergraph.state.phase).toBe('waiting');
  expect(supergraph.graph).toBeUndefined();
  ready();
  await becomes(supergraph).toEqual(['items@i1']);
});

describe('of two versions of a subgraph', () => {
  /** Serves v2 while an instance of v1 is still there. */
  async function upgrade() {
    const { items: base, v1, v2 } = await serveVersions();
    const registry = fillRegistry(base, v1('a', 1), v1('b', 1));
    const options = { folder: await makeFolder() };
    const supergraph = await startSupergraph(registry.view, options);
    await becomes(supergraph).toEqual(['items@i1', 'stock@v1']);
    registry.change(base, v1('b', 1), v2('a', 2));
    await becomes(supergraph).toEqual(['items@i1', 'stock@v2']);
    return { base, v1, v2, registry, supergraph, options };
  }
  /** A further subgraph shows that the graph has been made anew. */
  async function another(name: string) {
    const { describe } = await serveSdl(`${federation} type Query { ${name}: Int }`);
    return describe({ app: name, metadata: { subgraph: name, 'schema.hash': '1' } });
  }

  test('the newer one stays when an instance of the older one registers anew', async () => {
    const { base, v1, v2, registry, supergraph } = await upgrade();
    registry.change(base, v1('b', 3), v2('a', 2), await another('more'));
    await becomes(supergraph).toEqual(['items@i1', 'more@1', 'stock@v2']);
  });

  test('the newer one stays when the last instance of the older one goes and comes back', async () => {
    const { base, v1, v2, registry, supergraph } = await upgrade();
    const more = await another('more');
    registry.change(base, v2('a', 2), more);
    await becomes(supergraph).toContain('more@1');
    registry.change(base, v2('a', 2), v1('b', 3), more, await another('most'));
    await becomes(supergraph).toContain('most@1');
    expect(served(supergraph)).toContain('stock@v2');
  });

  test('the newer one stays when the gateway starts again', async () => {
    const { base, v1, v2, supergraph, options } = await upgrade();
    await supergraph.stop();
    const registry = fillRegistry(base, v1('b', 3), v2('a', 2), await another('more'));
    const again = await startSupergraph(registry.view, options);
    await becomes(again).toEqual(['items@i1', 'more@1', 'stock@v2']);
  });

  test('the older one is served when no instance serves the newer one any more', async () => {
    const { base, v1, registry, supergraph } = await upgrade();
    registry.change(base, v1('b', 1));
    await becomes(supergraph).toEqual(['items@i1', 'stock@v1']);
  });
});

describe('a subgraph with which no graph can be served', () => {
  const link = (version: string, imports: string) =>
    `extend schema @link(url: "https://specs.apollo.dev/federation/v${version}", import: ${imports})`;
  const nested = (depth: number) => `type Query { deep: ${'['.repeat(depth)}Int${']'.repeat(depth)} }`;

  test.each([
    [
      'links a security feature that nobody knows',
      `extend schema @link(url: "https://specs.apollo.dev/federation/v2.9") @link(url: "https://evil.example/lock/v1.0", for: SECURITY) type Query { a: Int }`,
    ],
    ['uses a federation of the future', `${link('2.99', '["@key"]')} type Query { a: Int }`],
    ['is no SDL', 'type Query {'],
    ['is too deep to be read', nested(20_000)],
    ['is deep', nested(2_000)],
    ['has names that are reserved', 'type Query { a: join__Graph __b: Int } enum join__Graph { ITEMS }'],
    ['takes a root type away', 'schema { query: Item } type Item { id: ID! }'],
    ['has an unknown directive', 'type Query { a: Int @nonsense }'],
    ['defines a type twice', 'type Query { a: Int } type Query { b: Int }'],
    ['has no query', 'scalar Nothing'],
  ])('and that %s keeps no other from being served, at the start and later', async (_what, sdl) => {
    const { items: base, v1 } = await serveVersions();
    const evil = (await serveSdl(sdl)).describe({
      app: 'EVIL',
      metadata: { subgraph: 'evil', 'schema.hash': 'e1' },
    });
    for (const first of [[evil, base], [base]]) {
      const registry = fillRegistry(...first);
      const supergraph = await startSupergraph(registry.view);
      await becomes(supergraph).toContain('items@i1');
      registry.change(base, evil, v1('a', 1));
      await becomes(supergraph).toContain('stock@v1');
      const isServed = served(supergraph).includes('evil@e1');
      // What composes and loads after all does no harm.
      expect(supergraph.faults.heldBack.map(({ subgraph }) => subgraph)).toEqual(isServed ? [] : ['evil']);
      expect(supergraph.faults.load).toBeUndefined();
    }
  });
});

test('of two subgraphs that contradict each other at the start, the one that registered first is served', async () => {
  const { items: base } = await serveVersions();
  const { describe } = await serveSdl('type Query { items: Int }');
  const later = describe({
    app: 'ALSO',
    metadata: { subgraph: 'also', 'schema.hash': '1' },
    lastDirtyTimestampMs: base.lastDirtyTimestampMs + 1,
  });
  const supergraph = await startSupergraph(fillRegistry(later, base).view);
  await becomes(supergraph).toEqual(['items@i1']);
  expect(supergraph.faults.heldBack.map(({ subgraph }) => subgraph)).toEqual(['also']);
});

describe('what can not be had', () => {
  test('of a version whose SDL can not be read, the graph says so, and goes on with the one before', async () => {
    const { items: base, v1 } = await serveVersions();
    const registry = fillRegistry(base, v1('a', 1));
    const supergraph = await startSupergraph(registry.view);
    await becomes(supergraph).toContain('stock@v1');
    const unreadable = describeInstance({ port: await freePort(), metadata: labelled('v2') });
    registry.change(base, v1('a', 1), unreadable);
    await expect.poll(() => supergraph.state.phase, patiently).toBe('stale');
    expect(supergraph.faults.unreadable).toEqual([
      {
        subgraph: 'stock',
        message: expect.stringContaining(`127.0.0.1:${unreadable.port}/graphql`) as string,
      },
    ]);
    expect(describeFaults(supergraph.faults).join()).toContain('SDL of stock could not be read');
    expect(served(supergraph)).toContain('stock@v1');
    registry.change(base, v1('a', 1));
    await expect.poll(() => supergraph.state.phase, patiently).toBe('serving');
  });

  test('an SDL is read from any instance that serves it', async () => {
    const { items: base, v1 } = await serveVersions();
    const dead = describeInstance({
      port: await freePort(),
      metadata: labelled('v1'),
      lastDirtyTimestampMs: 9,
    });
    const supergraph = await startSupergraph(fillRegistry(base, v1('a', 1), dead).view);
    await becomes(supergraph).toEqual(['items@i1', 'stock@v1']);
    expect(supergraph.faults.unreadable).toEqual([]);
  });

  test('an SDL that did not compose is read again, also under the same hash', async () => {
    const { items: base } = await serveVersions();
    const wrong = await serveSdl(stock('name: Int'));
    const alwaysWrong = await serveSdl(stock('name: Int'));
    const registry = fillRegistry(
      base,
      wrong.describe({ metadata: labelled('v1') }),
      alwaysWrong.describe({ app: 'OTHER', metadata: { subgraph: 'other', 'schema.hash': 'o1' } }),
    );
    const supergraph = await startSupergraph(registry.view, { sdlPollIntervalMs: 100 });
    await expect.poll(() => describeFaults(supergraph.faults).join(), patiently).toContain('held back');
    expect(describeFaults(supergraph.faults).join()).toMatch(/Item\.name.* \(items 1:\d+, stock 1:\d+\)/);
    expect(served(supergraph)).toEqual(['items@i1']);
    wrong.answer = stock('count: Int');
    await becomes(supergraph).toEqual(['items@i1', 'stock@v1']);
    const [asked, otherAsked] = [wrong.asked, alwaysWrong.asked];
    await expect.poll(() => alwaysWrong.asked, patiently).toBeGreaterThan(otherAsked + 2);
    expect(wrong.asked).toBe(asked);
  });

  test('a composition on which the thread died is tried again', async () => {
    const { items: base } = await serveVersions();
    let deaths = 0;
    const supergraph = await startSupergraph(fillRegistry(base).view, {
      sdlPollIntervalMs: 100,
      compose(subgraphs) {
        deaths += 1;
        return deaths <= 2 ? Promise.reject(new Error('out of memory')) : composed(subgraphs);
      },
    });
    await becomes(supergraph).toEqual(['items@i1']);
    expect(supergraph.state.phase).toBe('serving');
  });

  test('an instance that does not answer keeps no other subgraph waiting', async () => {
    const { items: base, v1 } = await serveVersions();
    const silent = await serveSdl(undefined);
    const slow = silent.describe({ app: 'SLOW', metadata: { subgraph: 'slow', 'schema.hash': 's1' } });
    const registry = fillRegistry(slow, base);
    const supergraph = await startSupergraph(registry.view);
    await becomes(supergraph, 3_000).toEqual(['items@i1']);
    registry.change(slow, base, v1('a', 1));
    await becomes(supergraph, 3_000).toEqual(['items@i1', 'stock@v1']);
    expect(silent.asked).toBe(1);
  });
});

describe('a change of the registry', () => {
  test('is not put off by those that follow it', async () => {
    const { items: base, v1 } = await serveVersions();
    const registry = fillRegistry(base);
    const supergraph = await startSupergraph(registry.view);
    await becomes(supergraph).toEqual(['items@i1']);
    const churn = setInterval(() => registry.change(base, v1('a', 1)), 10);
    onTestFinished(() => clearInterval(churn));
    await becomes(supergraph, 2_000).toEqual(['items@i1', 'stock@v1']);
  });

  test('that comes while the graph is made is not put off to the next reading', async () => {
    const { items: base, v1 } = await serveVersions();
    const broken = describeInstance({
      port: await freePort(),
      app: 'BROKEN',
      metadata: { subgraph: 'broken' },
    });
    let release = () => {};
    const held = new Promise<void>(resolve => {
      release = resolve;
    });
    let composing = false;
    const registry = fillRegistry(base, broken);
    const supergraph = await startSupergraph(registry.view, {
      async compose(subgraphs) {
        composing = true;
        await held;
        return composed(subgraphs);
      },
    });
    await expect.poll(() => composing, patiently).toBe(true);
    registry.change(base, broken, v1('a', 1));
    release();
    await becomes(supergraph, 2_000).toEqual(['items@i1', 'stock@v1']);
  });

  test('after which nothing is left to do costs nothing any more', async () => {
    const { items: base } = await serveVersions();
    const plain = await serveSdl(`${federation} type Query { plain: Int }`);
    const broken = describeInstance({ port: await freePort(), app: 'BROKEN' });
    const registry = fillRegistry(base, plain.describe({ app: 'PLAIN' }), broken);
    const supergraph = await startSupergraph(registry.view, { removalGraceMs: 50, sdlPollIntervalMs: 50 });
    await becomes(supergraph).toHaveLength(2);
    await expect.poll(() => supergraph.faults.ignored, patiently).toHaveLength(1);
    registry.change(base);
    await becomes(supergraph).toEqual(['items@i1']);
    const readsInHalfASecond = async () => {
      const { reads } = registry;
      await delay(500);
      return registry.reads - reads;
    };
    await expect.poll(readsInHalfASecond, patiently).toBe(0);
  });
});

describe('an operator', () => {
  test('who has gone back to an earlier launch stays there when taking a subgraph out is refused', async () => {
    const { items: base, v1 } = await serveVersions();
    const registry = fillRegistry(base, v1('a', 1));
    const supergraph = await startSupergraph(registry.view);
    await becomes(supergraph).toEqual(['items@i1', 'stock@v1']);
    const { state } = supergraph;
    await supergraph.rollBack(state.phase === 'waiting' ? 0 : state.served.launch.id);
    registry.change(base);
    await expect(supergraph.remove('stock')).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(supergraph.state.phase).toBe('pinned');
    expect(served(supergraph)).toEqual(['items@i1', 'stock@v1']);
  });

  test('takes a subgraph out, unless the others do not compose without it', async () => {
    const { items: base, v1 } = await serveVersions();
    const registry = fillRegistry(base, v1('a', 1));
    const supergraph = await startSupergraph(registry.view, { removalGraceMs: 60_000 });
    await becomes(supergraph).toEqual(['items@i1', 'stock@v1']);
    registry.change(v1('a', 1));
    await expect(supergraph.remove('items')).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(served(supergraph)).toEqual(['items@i1', 'stock@v1']);
    registry.change(base);
    await supergraph.remove('stock');
    expect(served(supergraph)).toEqual(['items@i1']);
  });
});
