import { mkdtemp, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { watchFile } from './watched-file.ts';

let seconds = 0;

/** Writes a file whose time differs from that of the writing before. */
async function write(path: string, text: string): Promise<void> {
  await writeFile(path, text);
  seconds += 1;
  await utimes(path, new Date(), new Date(1_700_000_000_000 + seconds * 1_000));
}

async function makeFile(text: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'portico-watched-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const path = join(folder, 'value.json');
  await write(path, text);
  return path;
}

test('the value follows the file, and stays while that is away or not valid', async () => {
  const path = await makeFile('1');
  const parse = vi.fn(JSON.parse as (text: string) => unknown);
  const current = watchFile(path, parse);
  expect(current()).toBe(1);
  await write(path, '2');
  await vi.waitFor(() => expect(current()).toBe(2), 3_000);

  parse.mockClear();
  await write(path, '{"half');
  await vi.waitFor(() => {
    current();
    expect(parse).toHaveBeenCalled();
  }, 3_000);
  expect(current()).toBe(2);
  await write(path, '3');
  await vi.waitFor(() => expect(current()).toBe(3), 3_000);
  await rename(path, `${path}.old`);
  expect(current()).toBe(3);
});

test('a file that is not there at first is an error', () => {
  expect(() => watchFile('/nowhere/at/all', JSON.parse)).toThrow('ENOENT');
});
