import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createTestService } from '../testing.ts';
import { checksum, compareHistories, type Migration, type MigrationRow, readMigrations } from './history.ts';

const first: Migration = { name: '1_first', sql: 'SELECT 1;\n' };
const second: Migration = { name: '2_second', sql: 'SELECT 2;\n' };

function applied({ name, sql }: Migration, finished = true): MigrationRow {
  return { name, checksum: checksum(sql), finished };
}

describe('compareHistories', () => {
  test('a database that applied every migration is up to date', () => {
    expect(compareHistories([first, second], [applied(first), applied(second)])).toEqual({
      state: 'upToDate',
    });
  });

  test('a database that lacks migrations is behind', () => {
    expect(compareHistories([first, second], [applied(first)])).toEqual({
      state: 'behind',
      pending: ['2_second'],
    });
  });

  test('a migration that was merged before the last applied one is pending too', () => {
    expect(compareHistories([first, second], [applied(second)])).toEqual({
      state: 'behind',
      pending: ['1_first'],
    });
  });

  test('a database with migrations that the folder does not have is ahead', () => {
    expect(compareHistories([first], [applied(first), applied(second)])).toEqual({
      state: 'ahead',
      unknown: ['2_second'],
    });
  });

  test('a database that is ahead and behind has diverged', () => {
    expect(compareHistories([first], [applied(second)])).toEqual({
      state: 'diverged',
      unknown: ['2_second'],
      pending: ['1_first'],
    });
  });

  test('a migration that started and did not finish has failed, also when its file was mended since', () => {
    const mended = { ...first, sql: 'SELECT 3;\n' };
    expect(compareHistories([mended], [applied(first, false)])).toEqual({
      state: 'failed',
      failed: ['1_first'],
    });
  });

  test('an applied migration with another text was edited', () => {
    const edited = { ...first, sql: 'SELECT 3;\n' };
    expect(compareHistories([edited, second], [applied(first)])).toEqual({
      state: 'edited',
      edited: ['1_first'],
    });
  });

  test('line ends that Git changed are no edit', () => {
    const withCrlf = { ...first, sql: first.sql.replaceAll('\n', '\r\n') };
    expect(compareHistories([withCrlf], [applied(first)])).toEqual({ state: 'upToDate' });
    expect(compareHistories([first], [applied(withCrlf)])).toEqual({ state: 'upToDate' });
  });
});

describe('checksum', () => {
  test('is SHA-256 of the bytes of the file in hexadecimal', () => {
    expect(checksum("SELECT 'é';")).toBe(
      createHash('sha256').update(Buffer.from("SELECT 'é';")).digest('hex'),
    );
  });
});

describe('readMigrations', () => {
  test('reads migrations in the order of their names and passes over files', async () => {
    const service = await createTestService();
    await service.writeMigration(second.name, second.sql);
    await service.writeMigration(first.name, first.sql);
    expect(await readMigrations(service.folder.migrationsDir)).toEqual([first, second]);
    await service.remove();
  });

  test('a service without a folder of migrations has none', async () => {
    const service = await createTestService();
    expect(await readMigrations(service.folder.migrationsDir)).toEqual([]);
    await service.remove();
  });

  test('names a migration without a file', async () => {
    const service = await createTestService();
    await mkdir(join(service.folder.migrationsDir, '1_empty'), { recursive: true });
    await expect(readMigrations(service.folder.migrationsDir)).rejects.toThrow(
      'The migration 1_empty has no file',
    );
    await service.remove();
  });
});
