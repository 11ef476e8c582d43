import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createFile, readIfThere, replaceFile } from './whole-file.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'portico-files-'));
});
afterEach(() => rm(folder, { recursive: true }));

test('a file is replaced by several at once, and holds what one of them wrote', async () => {
  const file = join(folder, 'keys.json');
  const texts = Array.from({ length: 8 }, (_, index) => String(index).repeat(100_000));
  await Promise.all(texts.map(text => replaceFile(file, text, 0o600)));
  expect(texts).toContain(await readFile(file, 'utf8'));
  expect(await readdir(folder)).toEqual(['keys.json']);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
});

test('of several that create a file at once, one does', async () => {
  const file = join(folder, 'secret');
  const outcomes = await Promise.allSettled(['a', 'b', 'c'].map(text => createFile(file, text)));
  const [winner, ...others] = outcomes.toSorted((a, b) => a.status.localeCompare(b.status));
  expect(winner?.status).toBe('fulfilled');
  expect(others).toEqual([
    { status: 'rejected', reason: expect.objectContaining({ code: 'EEXIST' }) },
    { status: 'rejected', reason: expect.objectContaining({ code: 'EEXIST' }) },
  ]);
  expect(await readdir(folder)).toEqual(['secret']);
});

test('a file whose place takes no writing leaves nothing', async () => {
  await expect(replaceFile(join(folder, 'missing', 'file'), 'text')).rejects.toThrow('ENOENT');
  expect(await readdir(folder)).toEqual([]);
});

test('only a file that is not there is read as empty', async () => {
  expect(await readIfThere(join(folder, 'nothing'))).toBe('');
  await expect(readIfThere(folder)).rejects.toThrow('EISDIR');
});
