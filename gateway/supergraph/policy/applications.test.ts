import { expect, test } from 'vitest';
import { describeInstance, fillRegistry } from '../../testing/instances.ts';
import { applicationsOf, findForeignApplications, holdersOf, restrictRegistry } from './applications.ts';
import { parseLaunchRules } from './launch-rules.ts';

const rules = parseLaunchRules('{"subgraphs":{"stock":["Stock","STOCK-2"]}}');
const instance = (id: string, app: string, subgraph = 'stock', lastDirtyTimestampMs = 0) =>
  describeInstance({ port: 1, id, app, metadata: { subgraph }, lastDirtyTimestampMs });

test.each([
  ['stock', undefined, ['STOCK', 'STOCK-2']],
  ['stock', 'EVIL', ['STOCK', 'STOCK-2']],
  ['items', 'ITEMS', ['ITEMS']],
  ['items', undefined, undefined],
  ['toString', undefined, undefined],
])('the subgraph %s that %s has is left to %j', (subgraph, holder, applications) => {
  expect(applicationsOf(rules, subgraph, holder)).toEqual(applications);
});

test('instances that may not serve their subgraph are not seen, come or gone', () => {
  const [good, foreign] = [instance('a', 'STOCK'), instance('b', 'EVIL')];
  const registry = fillRegistry(good, foreign);
  const { view } = restrictRegistry(registry.view, ({ app }) => app !== 'EVIL');
  const gone: string[] = [];
  view.onRemoval(({ id }) => gone.push(id));
  expect(view.instances).toEqual([good]);
  expect(view.up('evil')).toEqual([]);
  expect(view.up('stock')).toEqual([good]);
  registry.change();
  expect(gone).toEqual(['a']);
});

test('applications that name the subgraph of another are found with the number of their instances', () => {
  const found = findForeignApplications(
    [
      instance('a', 'STOCK'),
      instance('b', 'EVIL'),
      instance('c', 'EVIL'),
      { ...instance('d', 'EVIL'), status: 'DOWN' },
    ],
    ({ app }) => app === 'STOCK',
  );
  expect(found).toEqual([{ subgraph: 'stock', application: 'EVIL', instances: 2 }]);
});

test('a subgraph is held by the application that has it, or else by the one that alone serves it', () => {
  const versions = ['stock', 'items', 'own', 'lost'].map(name => ({ name, hash: '1', sdl: '' }));
  const holders = holdersOf(versions, {
    candidatesOf: ({ name }) => {
      if (name === 'lost') return [];
      if (name === 'own') return [instance('c', 'OWN', name), instance('d', 'OWN', name)];
      // An instance says itself when it registered.
      return [instance('a', 'LATE', name, 20), instance('b', 'EARLY', name, 10)];
    },
    holderOf: name => (name === 'stock' ? 'STOCK' : undefined),
  });
  expect(Object.fromEntries(holders)).toEqual({ stock: 'STOCK', own: 'OWN' });
});

test.each([
  ['{"subgraphs":{"stock":"STOCK"}}', /subgraphs\.stock/],
  ['{"subgraphs":{"stock":[]}}', /subgraphs\.stock/],
  ['{"newSubgraphs":"yes"}', /newSubgraphs/],
  ['{"newSubgraph":"approve"}', /newSubgraph/],
  ['{', /JSON/],
])('rules of %s are refused', (text, message) => {
  expect(() => parseLaunchRules(text)).toThrow(message);
});
