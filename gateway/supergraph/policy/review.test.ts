import { expect, test } from 'vitest';
import { adopt } from '../composition/adoption.ts';
import { compose, type Subgraph } from '../composition/compose.ts';
import type { Composition } from '../composition/composer.ts';
import { diffSupergraphs } from '../composition/schema-diff.ts';
import { parseLaunchRules } from './launch-rules.ts';
import { createReview } from './review.ts';

const federation = 'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key"])';
const items = (fields = 'name: String') =>
  `${federation} type Query { items: [Item!]! } type Item @key(fields: "id") { id: ID! ${fields} }`;
const stock = (fields: string) => `${federation} type Item @key(fields: "id") { id: ID! ${fields} }`;
const alone = (field: string) => `type Query { ${field}: Int }`;
const version = (name: string, hash: string, sdl: string): Subgraph => ({ name, hash, sdl });

interface Step {
  readonly rules: object;
  readonly served?: readonly Subgraph[];
  /** Versions of each subgraph, the most wanted first. */
  readonly wanted: readonly (readonly Subgraph[])[];
  /** `name@hash` of each. */
  readonly approved?: readonly string[];
}

/** Takes one step as the gateway does. */
async function take({ rules, served = [], wanted, approved = [] }: Step) {
  const before = compose(served);
  const servedSdl = before.kind === 'composed' && served.length > 0 ? before.supergraphSdl : undefined;
  const composeAgainstServed = async (subgraphs: readonly Subgraph[]): Promise<Composition> => {
    const outcome = compose(subgraphs);
    if (outcome.kind === 'failed' || servedSdl === undefined) return { outcome, changes: [] };
    return { outcome, changes: await diffSupergraphs(servedSdl, outcome.supergraphSdl) };
  };
  const review = createReview({
    rules: parseLaunchRules(JSON.stringify(rules)),
    served,
    servedSdl,
    isApproved: ({ name, hash }) => approved.includes(`${name}@${hash}`),
  });
  const admission = review.admit(
    wanted.map(versions => ({ name: (versions[0] as Subgraph).name, versions })),
  );
  const adoption = await adopt({
    served,
    wanted: admission.wanted,
    compose: async tried => review.judge(tried, await composeAgainstServed(tried), composeAgainstServed),
  });
  return {
    graph: adoption.subgraphs.map(({ name, hash }) => `${name}@${hash}`),
    held: [...admission.heldBack, ...adoption.heldBack].map(
      ({ subgraph, hash, because }) => `${subgraph}@${hash} ${because}`,
    ),
    reasons: [...admission.heldBack, ...adoption.heldBack].flatMap(({ faults }) =>
      faults.map(({ message }) => message),
    ),
  };
}

const itemsV1 = version('items', 'i1', items());
const stockV1 = version('stock', 's1', stock('count: Int place: String'));
const stockV2 = version('stock', 's2', stock('count: Int'));

test('without rules, everything that composes is in the graph', async () => {
  expect(await take({ rules: {}, served: [itemsV1, stockV1], wanted: [[itemsV1], [stockV2]] })).toEqual({
    graph: ['items@i1', 'stock@s2'],
    held: [],
    reasons: [],
  });
});

test('a subgraph that defines fields of a type of another is held back and named, and the others are served', async () => {
  const more = version('more', 'm1', alone('more'));
  const { graph, held, reasons } = await take({
    rules: { types: { Item: ['items'] } },
    served: [itemsV1],
    wanted: [[itemsV1], [more], [stockV1]],
  });
  expect(graph).toEqual(['items@i1', 'more@m1']);
  expect(held).toEqual(['stock@s1 policy']);
  expect(reasons).toEqual(['[stock] defines Item.count, Item.place, and Item belongs to items']);
});

test('of two versions the one that keeps to its own types is served', async () => {
  const { graph, held } = await take({
    rules: { types: { Item: ['items'] } },
    served: [itemsV1],
    wanted: [[itemsV1], [stockV1, version('stock', 's0', alone('stocks'))]],
  });
  expect(graph).toEqual(['items@i1', 'stock@s0']);
  expect(held).toEqual(['stock@s1 policy']);
});

test('what is served against a rule that came later leaves the graph, though that breaks clients', async () => {
  const rules = { types: { Item: ['items'] }, breakingChanges: 'approve' };
  const { graph, held } = await take({
    rules,
    served: [itemsV1, stockV1],
    wanted: [[itemsV1], [stockV1]],
  });
  expect(graph).toEqual(['items@i1']);
  expect(held).toEqual(['stock@s1 policy']);
});

test('what is served against a rule, and without which nothing composes, keeps no other from changing', async () => {
  const user = version(
    'user',
    'u1',
    `${federation} type Query { a: Place } type Place @key(fields: "id", resolvable: false) { id: ID! }`,
  );
  const place = version(
    'place',
    'p1',
    `${federation} type Query { b: Place } type Place @key(fields: "id") { id: ID! x: Int }`,
  );
  const userV2 = version('user', 'u2', `${user.sdl} extend type Query { c: Int }`);
  const rules = { types: { Place: ['somebody'] } };
  const { graph, held } = await take({
    rules,
    served: [place, user],
    wanted: [[place], [userV2]],
  });
  expect(held).toContain('place@p1 policy');
  expect(graph).toContain('user@u2');
});

test('a new version of what is served against a rule gets in no more than the old one', async () => {
  const { graph, held } = await take({
    rules: { types: { Item: ['items'] } },
    served: [itemsV1, stockV1],
    wanted: [[itemsV1], [version('stock', 's9', `# ${stockV1.sdl}\n${stockV1.sdl}`)]],
  });
  expect(graph).not.toContain('stock@s9');
  expect(held).toContain('stock@s9 policy');
});

test.each([
  ['waits', {}, [], ['items@i1']],
  ['is served when the version was approved', {}, ['more@m1'], ['items@i1', 'more@m1']],
  ['waits when another version was approved', {}, ['more@m0'], ['items@i1']],
  ['is served when the rules name it', { subgraphs: { more: ['MORE'] } }, [], ['items@i1', 'more@m1']],
])('a new subgraph %s', async (_what, more, approved, graph) => {
  const step = { served: [itemsV1], wanted: [[itemsV1], [version('more', 'm1', alone('more'))]], approved };
  const taken = await take({ rules: { newSubgraphs: 'approve', ...more }, ...step });
  expect(taken.graph).toEqual(graph);
  expect(taken.held).toEqual(graph.length === 1 ? ['more@m1 approval'] : []);
});

test('a change that breaks nothing waits for nobody, and neither does a new version of a subgraph', async () => {
  const wider = version('stock', 's3', stock('count: Int place: String colour: String'));
  const rules = { newSubgraphs: 'approve', breakingChanges: 'approve' };
  expect(await take({ rules, served: [itemsV1, stockV1], wanted: [[itemsV1], [wider]] })).toMatchObject({
    graph: ['items@i1', 'stock@s3'],
    held: [],
  });
});

test('a breaking change waits with what it breaks, and the others go on', async () => {
  const rules = { breakingChanges: 'approve' };
  const more = version('more', 'm1', alone('more'));
  const step = { rules, served: [itemsV1, stockV1], wanted: [[itemsV1], [more], [stockV2, stockV1]] };
  const waiting = await take(step);
  expect(waiting.graph).toEqual(['items@i1', 'more@m1', 'stock@s1']);
  expect(waiting.held).toEqual(['stock@s2 approval']);
  expect(waiting.reasons).toEqual(["Field 'place' was removed from object type 'Item'"]);
  expect(await take({ ...step, approved: ['stock@s2'] })).toMatchObject({
    graph: ['items@i1', 'more@m1', 'stock@s2'],
    held: [],
  });
});

test('the approval of one breaking change lets in no other', async () => {
  const itemsV2 = version('items', 'i2', items('label: String'));
  const taken = await take({
    rules: { breakingChanges: 'approve' },
    served: [itemsV1, stockV1],
    wanted: [[itemsV2], [stockV2]],
    approved: ['stock@s2'],
  });
  expect(taken.graph).toEqual(['items@i1', 'stock@s2']);
  expect(taken.held).toEqual(['items@i2 approval']);
  expect(taken.reasons).toEqual(["Field 'name' was removed from object type 'Item'"]);
});

test('a subgraph whose leaving breaks clients waits to leave', async () => {
  const taken = await take({
    rules: { breakingChanges: 'approve' },
    served: [itemsV1, stockV1],
    wanted: [[itemsV1]],
  });
  expect(taken.graph).toEqual(['items@i1', 'stock@s1']);
  expect(taken.held).toEqual(['stock@ approval']);
});
