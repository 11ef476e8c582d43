import { expect, test } from 'vitest';
import { rootDir } from '../../dev/settings.ts';
import { findBreaches, findCircles, findSources, importsOf, mayImport } from './walls.ts';

test('no source of the repository imports what its folder may not (docs/architecture.md)', async () => {
  const files = await findSources(rootDir);
  expect(files).toContain('discovery/dashboard/render.js');
  expect(files.length).toBeGreaterThan(400);
  expect(await findBreaches(rootDir, files)).toEqual([]);
});

test('no sources import each other around a circle', async () => {
  expect(await findCircles(rootDir, await findSources(rootDir))).toEqual([]);
});

test('every form of import is read', () => {
  const source = `
    import { a } from './a.ts';
    import type { B } from '../b.ts';
    export { c } from './c.ts';
    export * from './d.ts';
    export type { E } from './e.ts';
    const f = await import('./f.ts');
    import fastify from 'fastify';
  `;
  expect(importsOf('gateway/security/x.ts', source).sort()).toEqual([
    'gateway/b.ts',
    ...['a', 'c', 'd', 'e', 'f'].map(name => `gateway/security/${name}.ts`),
  ]);
});

test.each([
  ['platform/log.ts', 'gateway/config.ts'],
  ['gateway/server.ts', 'discovery/config.ts'],
  ['gateway/server.test.ts', 'subgraphs/orders/store.ts'],
  ['subgraphs/orders/store.ts', 'subgraphs/inventory/store.ts'],
  ['subgraphs/orders/store.test.ts', 'subgraphs/inventory/store.ts'],
  ['subgraphs/orders/store.ts', 'prisma/testing.ts'],
  ['prisma/migrate.ts', 'dev/system.ts'],
  ['dev/system.ts', 'gateway/server.ts'],
  ['tests/live/live.test.ts', 'gateway/server.ts'],
])('%s may not import %s', (from, to) => {
  expect(mayImport(from, to)).toBe(false);
});
