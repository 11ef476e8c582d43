import { appendFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { makeTempDir } from '../testing.ts';
import { type CommittedOffset, CommittedOffsets } from './committed-offsets.ts';

const committed = (fields: Partial<CommittedOffset> = {}): CommittedOffset => ({
  groupId: 'group',
  topic: 'topic',
  partition: 0,
  offset: 1,
  metadata: null,
  ...fields,
});

/** Opens the file. Opening it again, without a close before, stands for a restart after a sudden end. */
async function openOffsets(path: string, log: (line: string) => void = () => {}): Promise<CommittedOffsets> {
  const offsets = await CommittedOffsets.open(path, log);
  onTestFinished(() => offsets.close());
  return offsets;
}

const makePath = async () => join(await makeTempDir(), 'committed-offsets.jsonl');

test('the last commit counts, also after a restart', async () => {
  const path = await makePath();
  const before = await openOffsets(path);
  await before.commit([committed({ offset: 5 }), committed({ partition: 1, offset: 7, metadata: 'note' })]);
  await before.commit([committed({ offset: 6 })]);
  for (const offsets of [before, await openOffsets(path)]) {
    expect(offsets.get('group', 'topic', 0)?.offset).toBe(6);
    expect(offsets.get('group', 'topic', 1)).toMatchObject({ offset: 7, metadata: 'note' });
    expect(offsets.get('other', 'topic', 0)).toBeUndefined();
    expect(offsets.groupIds).toEqual(['group']);
  }
});

test('what is forgotten stays forgotten after a restart', async () => {
  const path = await makePath();
  const before = await openOffsets(path);
  await before.commit([
    committed(),
    committed({ topic: 'gone' }),
    committed({ groupId: 'other', topic: 'gone' }),
  ]);
  await before.forget(({ topic }) => topic === 'gone');
  for (const offsets of [before, await openOffsets(path)]) {
    expect(offsets.ofGroup('group').map(({ topic }) => topic)).toEqual(['topic']);
    expect(offsets.groupIds).toEqual(['group']);
  }
});

test('a torn line at the end is dropped and reported', async () => {
  const path = await makePath();
  await (await openOffsets(path)).commit([committed({ offset: 5 })]);
  await appendFile(path, JSON.stringify(committed({ offset: 6 })).slice(0, -1));
  const lines: string[] = [];
  const offsets = await openOffsets(path, line => lines.push(line));
  expect(lines).toHaveLength(1);
  expect(offsets.get('group', 'topic', 0)?.offset).toBe(5);
  await offsets.commit([committed({ offset: 7 })]);
  expect((await openOffsets(path)).get('group', 'topic', 0)?.offset).toBe(7);
});

test('a restart leaves a line for each offset in force', async () => {
  const path = await makePath();
  const before = await openOffsets(path);
  for (let offset = 0; offset < 100; offset++) await before.commit([committed({ offset })]);
  await openOffsets(path);
  expect((await readFile(path, 'utf8')).trim().split('\n')).toHaveLength(1);
});

test('a file that grows is compacted while it is written', async () => {
  const path = await makePath();
  const offsets = await openOffsets(path);
  const metadata = 'x'.repeat(4000);
  for (let offset = 0; offset < 1200; offset++) await offsets.commit([committed({ offset, metadata })]);
  expect((await readFile(path)).length).toBeLessThan(2 * 1024 ** 2);
  expect((await openOffsets(path)).get('group', 'topic', 0)?.offset).toBe(1199);
});
