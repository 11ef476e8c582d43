import { expect, test } from 'vitest';
import { describeInstance } from '../testing/instances.ts';
import { decide } from './decide.ts';
import type { SubgraphVersions } from './sdl/sdl-reader.ts';

const version = (name: string, hash: string) => ({ name, hash, sdl: `# ${name} ${hash}` });
const versionsOf = (name: string, given: Partial<SubgraphVersions> = {}): SubgraphVersions => ({
  name,
  versions: [],
  failures: [],
  declared: true,
  ...given,
});
const nobody = { instances: new Map(), served: [], stays: () => false };

test('subgraphs that have instances are wanted, by name, since their first instance registered', () => {
  const { wanted } = decide({
    ...nobody,
    found: [
      versionsOf('stock', { versions: [version('stock', 'v2'), version('stock', 'v1')] }),
      versionsOf('items', { versions: [version('items', 'i1')] }),
    ],
    instances: new Map([
      [
        'stock',
        [
          describeInstance({ port: 1, lastDirtyTimestampMs: 30 }),
          describeInstance({ port: 1, lastDirtyTimestampMs: 20 }),
        ],
      ],
      ['items', [describeInstance({ port: 1, lastDirtyTimestampMs: 40 })]],
    ]),
  });
  expect(wanted).toEqual([
    { name: 'items', versions: [version('items', 'i1')], sinceMs: 40 },
    { name: 'stock', versions: [version('stock', 'v2'), version('stock', 'v1')], sinceMs: 20 },
  ]);
});

test('a subgraph that is served stays without instances as long as it may, and with the version that is served', () => {
  const situation = { ...nobody, found: [], served: [version('items', 'i1'), version('stock', 'v1')] };
  expect(decide({ ...situation, stays: name => name === 'stock' }).wanted).toEqual([
    { name: 'stock', versions: [version('stock', 'v1')] },
  ]);
});

test('a subgraph whose SDL cannot be read stays as it is served, and is a fault', () => {
  const decision = decide({
    ...nobody,
    found: [versionsOf('stock', { failures: ['no answer'] })],
    served: [version('stock', 'v1')],
    stays: () => true,
  });
  expect(decision).toEqual({
    wanted: [{ name: 'stock', versions: [version('stock', 'v1')] }],
    unreadable: [{ subgraph: 'stock', message: 'no answer' }],
    ignored: [],
  });
});

test('a service that does not say that it serves a subgraph is ignored when it answers with no SDL', () => {
  const found = [versionsOf('mailer', { failures: ['a page'], declared: false })];
  expect(decide({ ...nobody, found })).toEqual({
    wanted: [],
    unreadable: [],
    ignored: [{ service: 'mailer', message: 'a page' }],
  });
});

test('of a subgraph with a version that is read, another that is not is a fault', () => {
  const found = [
    versionsOf('stock', { versions: [version('stock', 'v1')], failures: ['no answer'], declared: false }),
  ];
  expect(decide({ ...nobody, found }).unreadable).toEqual([{ subgraph: 'stock', message: 'no answer' }]);
});
