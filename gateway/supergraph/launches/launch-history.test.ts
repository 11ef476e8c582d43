import { appendFile, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { silentLog } from '../../../platform/log.ts';
import type { Subgraph } from '../composition/compose.ts';
import { type Launch, openLaunchHistory } from './launch-history.ts';

const subgraph = (name: string, hash: string): Subgraph => ({ name, hash, sdl: `# ${name} ${hash}` });

function launch(subgraphs: readonly Subgraph[], outcome: Launch['outcome'] = 'served'): Omit<Launch, 'id'> {
  return {
    at: '2026-01-01T00:00:00.000Z',
    cause: 'registry',
    outcome,
    durationMs: 12,
    subgraphs: subgraphs.map(({ name, hash }) => ({ name, hash })),
    changed: [],
    changes: [],
    faults: [],
  };
}

describe('the launch history', () => {
  let folder = '';
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'portico-history-'));
  });
  afterEach(() => rm(folder, { recursive: true }));
  const open = () => openLaunchHistory(folder, silentLog);

  test('survives a restart, with the SDLs of what was served', async () => {
    const [one, two] = [[subgraph('a', '1')], [subgraph('a', '1'), subgraph('b', '1')]];
    const history = await open();
    await history.add(launch(one), one);
    await history.add(launch(two), two);
    await history.add(launch([subgraph('a', 'bad')], 'failed'), [subgraph('a', 'bad')]);

    const again = await open();

    expect(again.launches.map(({ id, outcome }) => [id, outcome])).toEqual([
      [1, 'served'],
      [2, 'served'],
      [3, 'failed'],
    ]);
    expect(await again.lastServed()).toEqual(two);
    expect(await again.subgraphsOf(1)).toEqual(one);
    expect(await again.subgraphsOf(3)).toBeUndefined();
    expect(await again.subgraphsOf(99)).toBeUndefined();
    expect((await again.add(launch(one), one)).id).toBe(4);
  });

  test('goes on after a crash in the middle of a line', async () => {
    const subgraphs = [subgraph('a', '1')];
    await (await open()).add(launch(subgraphs), subgraphs);
    await appendFile(join(folder, 'launches.jsonl'), '{"id":2,"at":"2026');
    const next = [subgraph('a', '2')];
    const history = await open();
    expect(await history.lastServed()).toEqual(subgraphs);
    expect((await history.add(launch(next), next)).id).toBe(2);
    const again = await open();
    expect(again.launches.map(({ id }) => id)).toEqual([1, 2]);
    expect(await again.lastServed()).toEqual(next);
  });

  test('writes an SDL once, whole or not at all', async () => {
    const kept = subgraph('a', '1');
    const history = await open();
    await history.add(launch([kept]), [kept]);
    const file = join(folder, 'sdl', (await readdir(join(folder, 'sdl')))[0] ?? '');
    const before = await stat(file);
    const other = subgraph('b', '1');
    await history.add(launch([kept, other]), [kept, other]);
    expect((await stat(file)).mtimeMs).toBe(before.mtimeMs);
    expect((await stat(file)).ino).toBe(before.ino);

    const changed = { ...kept, sdl: '# another SDL under the same hash' };
    await history.add(launch([changed]), [changed]);
    expect((await stat(file)).ino).not.toBe(before.ino);
    expect(await (await open()).lastServed()).toEqual([changed]);
  });

  test('keeps the last 100 launches that were served and only their SDLs', async () => {
    const history = await open();
    for (let count = 1; count <= 250; count++) {
      const subgraphs = [subgraph('a', String(count))];
      await history.add(launch(subgraphs), subgraphs);
    }
    expect(history.launches.map(({ id }) => id)).toEqual(
      Array.from({ length: 100 }, (_, index) => index + 151),
    );
    expect((await readdir(join(folder, 'sdl'))).length).toBeLessThanOrEqual(200);
    expect(history.servedSdlOf('a', '151')).toBe('# a 151');
    expect(history.servedSdlOf('a', '150')).toBeUndefined();
    const again = await open();
    expect(await again.subgraphsOf(250)).toEqual([subgraph('a', '250')]);
    expect(await readdir(join(folder, 'sdl'))).toHaveLength(100);
  });

  test('keeps what was served however many compositions fail after it', async () => {
    const served = [subgraph('a', '1'), subgraph('b', '1')];
    const history = await open();
    await history.add(launch(served), served);
    for (let count = 1; count <= 250; count++) {
      const subgraphs = [subgraph('a', `bad-${count}`)];
      await history.add(launch(subgraphs, 'failed'), subgraphs);
    }
    expect(history.launches).toHaveLength(101);
    expect(await history.lastServed()).toEqual(served);
    expect(await (await open()).lastServed()).toEqual(served);
  });

  test('writes nowhere but in its folder, whatever a subgraph is called', async () => {
    const subgraphs = [subgraph('../../evil', '../x/..')];
    const history = await open();
    await history.add(launch(subgraphs), subgraphs);
    expect(await readdir(join(folder, 'sdl'))).toHaveLength(1);
    expect(await (await open()).lastServed()).toEqual(subgraphs);
  });

  test('goes on in memory when its folder can not be used', async () => {
    const file = join(folder, 'file');
    await writeFile(file, '');
    const history = await openLaunchHistory(join(file, 'below'), silentLog);
    const subgraphs = [subgraph('a', '1'), subgraph('b', '1')];
    await history.add(launch(subgraphs), subgraphs);
    expect(await history.lastServed()).toEqual(subgraphs);
  });
});
