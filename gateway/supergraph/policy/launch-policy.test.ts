import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { expect, onTestFinished, test, vi } from 'vitest';
import { createLogger, silentLog } from '../../../platform/log.ts';
import { fillRegistry } from '../../testing/instances.ts';
import {
  federation,
  makeFolder,
  serveSdl,
  startSupergraph,
  type TestSupergraph,
} from '../../testing/supergraph.ts';
import { compose } from '../composition/compose.ts';
import { describeSupergraph } from '../describe.ts';
import type { ApprovedVersion } from '../operator.ts';
import { describeFaults } from '../state.ts';
import { openLaunchPolicy } from './launch-policy.ts';

vi.setConfig({ testTimeout: 30_000 });

const items = `${federation} type Query { items: [Item!]! } type Item @key(fields: "id") { id: ID! name: String }`;
const served = ({ graph }: TestSupergraph) =>
  graph?.subgraphs.map(({ name, hash }) => `${name}@${hash}`) ?? [];
const becomes = (supergraph: TestSupergraph) => expect.poll(() => served(supergraph), { timeout: 10_000 });
const faultsOf = ({ faults }: TestSupergraph) => describeFaults(faults).join('\n');

/** A folder with a policy in it. */
async function usePolicy(first: object) {
  const folder = await makeFolder();
  const file = join(folder, 'policy.json');
  const write = (rules: object | string) =>
    writeFile(file, typeof rules === 'string' ? rules : JSON.stringify(rules));
  await write(first);
  return {
    folder,
    write,
    async open(log = silentLog) {
      const policy = await openLaunchPolicy({ file, folder, log });
      onTestFinished(() => policy.close());
      return policy;
    },
  };
}

async function serveInstances() {
  const [base, more] = [await serveSdl(items), await serveSdl('type Query { more: Int }')];
  const describe = (id: string, app: string, subgraph: string, hash: string) =>
    (subgraph === 'more' ? more : base).describe({
      id,
      app,
      metadata: { subgraph, 'schema.hash': hash },
      lastDirtyTimestampMs: Number(id),
    });
  return { more, items: describe('10', 'ITEMS', 'items', 'i1'), describe };
}

test('a new subgraph waits, is in the graph after its approval, and after a restart and an absence', async () => {
  const { items: base, describe } = await serveInstances();
  const { folder, open } = await usePolicy({ newSubgraphs: 'approve', subgraphs: { items: ['ITEMS'] } });
  const more = describe('20', 'MORE', 'more', 'm1');
  const registry = fillRegistry(base, more);
  const supergraph = await startSupergraph(registry.view, { folder, policy: await open() });
  await becomes(supergraph).toEqual(['items@i1']);
  expect(supergraph.state.phase).toBe('stale');
  expect(describeSupergraph(supergraph, registry.view).awaitingApproval).toEqual([
    {
      subgraph: 'more',
      hash: 'm1',
      sdlHash: expect.any(String) as string,
      applications: ['MORE'],
      reasons: ['the graph has no subgraph of this name'],
    },
  ]);
  const waiting = () => describeSupergraph(supergraph, registry.view).awaitingApproval[0] as ApprovedVersion;
  await expect(supergraph.approve({ ...waiting(), sdlHash: 'another' })).rejects.toMatchObject({
    code: 'CONFLICT',
  });
  await expect(supergraph.approve({ ...waiting(), hash: 'm2' })).rejects.toMatchObject({
    code: 'NOT_FOUND',
  });
  await supergraph.approve(waiting());
  expect(served(supergraph)).toEqual(['items@i1', 'more@m1']);
  expect(supergraph.state.phase).toBe('serving');
  await supergraph.stop();

  const again = fillRegistry(base, more);
  const restarted = await startSupergraph(again.view, { folder, policy: await open(), removalGraceMs: 10 });
  await becomes(restarted).toEqual(['items@i1', 'more@m1']);
  again.change(base);
  await becomes(restarted).toEqual(['items@i1']);
  again.change(base, more);
  await becomes(restarted).toEqual(['items@i1', 'more@m1']);
});

test('an approval is of what was looked at: another SDL under the same hash waits again', async () => {
  const { items: base, more, describe } = await serveInstances();
  const { folder, open } = await usePolicy({ newSubgraphs: 'approve', subgraphs: { items: ['ITEMS'] } });
  const instance = describe('20', 'MORE', 'more', 'm1');
  const registry = fillRegistry(base, instance);
  const policy = await open();
  await policy.approve({ name: 'more', hash: 'm1', sdl: 'type Query { harmless: Int }' });
  const supergraph = await startSupergraph(registry.view, { folder, policy });
  await becomes(supergraph).toEqual(['items@i1']);
  expect(faultsOf(supergraph)).toContain("'more' at m1 waits for an operator");
  expect(more.asked).toBeGreaterThan(0);
});

test('an application that names the subgraph of another gets nothing, also after a restart', async () => {
  const { items: base, describe } = await serveInstances();
  const { folder, open } = await usePolicy({});
  const foreign = describe('1', 'EVIL', 'items', 'i1');
  const registry = fillRegistry(base);
  const supergraph = await startSupergraph(registry.view, { folder, policy: await open() });
  await becomes(supergraph).toEqual(['items@i1']);
  registry.change(base, foreign);
  await expect
    .poll(() => faultsOf(supergraph), { timeout: 5_000 })
    .toBe(
      "1 of EVIL name the subgraph 'items' and are passed by, because the launch policy leaves it to ITEMS (LAUNCH_POLICY_FILE)",
    );
  await supergraph.stop();

  const policy = await open();
  const restarted = await startSupergraph(fillRegistry(foreign).view, { folder, policy });
  await expect.poll(() => faultsOf(restarted), { timeout: 5_000 }).toContain('1 of EVIL');
  expect(policy.restrict(fillRegistry(base, foreign).view).instances).toEqual([base]);
});

test('the file is read again when it changes, and stays as it was when it is not valid', async () => {
  const { items: base, describe } = await serveInstances();
  const more = describe('20', 'MORE', 'more', 'm1');
  const { folder, write, open } = await usePolicy({
    newSubgraphs: 'approve',
    subgraphs: { items: ['ITEMS'] },
  });
  const lines: string[] = [];
  const destination = new Writable({
    write(chunk, _encoding, done) {
      lines.push(String(chunk));
      done();
    },
  });
  const policy = await open(createLogger('test', { destination }));
  const supergraph = await startSupergraph(fillRegistry(base, more).view, { folder, policy });
  await becomes(supergraph).toEqual(['items@i1']);
  await write('{"newSubgraphs":');
  await expect.poll(() => lines.join(), { timeout: 10_000 }).toContain('The launch policy stays as it was');
  expect(served(supergraph)).toEqual(['items@i1']);
  await write({ newSubgraphs: 'approve', subgraphs: { more: ['MORE'] } });
  await becomes(supergraph).toEqual(['items@i1', 'more@m1']);
});

test('what waits is not composed again and again', async () => {
  const { items: base, describe } = await serveInstances();
  const { folder, open } = await usePolicy({ breakingChanges: 'approve' });
  const registry = fillRegistry(base);
  let compositions = 0;
  const supergraph = await startSupergraph(registry.view, {
    folder,
    policy: await open(),
    sdlPollIntervalMs: 20,
    compose(subgraphs) {
      compositions += 1;
      const gone = {
        type: 'FIELD_REMOVED',
        message: 'it is gone',
        path: 'A.b',
        severity: 'breaking' as const,
      };
      const changes = subgraphs.length > 1 ? [gone] : [];
      return Promise.resolve({ outcome: compose(subgraphs), changes });
    },
  });
  await becomes(supergraph).toEqual(['items@i1']);
  const more = describe('20', 'MORE', 'more', 'm1');
  registry.change(base, more);
  await expect.poll(() => faultsOf(supergraph), { timeout: 10_000 }).toContain("'more' at m1 waits");
  const before = compositions;
  let reads = registry.reads;
  for (let steps = 0; steps < 5; steps++) {
    await expect.poll(() => registry.reads, { timeout: 5_000 }).toBeGreaterThan(reads);
    reads = registry.reads;
  }
  expect(compositions).toBe(before);
  const [waiting] = describeSupergraph(supergraph, registry.view).awaitingApproval;
  await supergraph.approve(waiting as ApprovedVersion);
  expect(served(supergraph)).toEqual(['items@i1', 'more@m1']);
});

test('a policy that can not be read keeps the gateway from starting', async () => {
  const { open } = await usePolicy({ types: { Item: 'items' } });
  await expect(open()).rejects.toThrow(/The launch policy in .*policy\.json can't be used: .*types\.Item/s);
});

test('without a file, everything that composes is served, and nothing waits for approval', async () => {
  const { items: base, describe } = await serveInstances();
  const policy = await openLaunchPolicy({ file: undefined, folder: '', log: silentLog });
  const registry = fillRegistry(base, describe('20', 'EVIL', 'more', 'm1'));
  const supergraph = await startSupergraph(registry.view, { policy });
  await becomes(supergraph).toEqual(['items@i1', 'more@m1']);
  await expect(supergraph.approve({ subgraph: 'more', hash: 'm1', sdlHash: 'any' })).rejects.toMatchObject({
    code: 'NOT_FOUND',
  });
});
