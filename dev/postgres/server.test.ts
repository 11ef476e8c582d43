import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { PortTakenError } from './process.ts';
import { type PostgresOptions, type PostgresServer, startPostgres } from './server.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let folder: string;
let dataDir: string;
const running: PostgresServer[] = [];

// One data directory for most: it takes a second to initialise, and every test leaves it at rest.
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'portico-test-'));
  // As root, the server runs as another user, who has to get to its data.
  await chmod(folder, 0o755);
  dataDir = join(folder, 'data');
});

afterEach(async () => {
  await Promise.all(running.splice(0).map(server => server.close()));
});

afterAll(async () => {
  await rm(folder, { recursive: true });
});

async function start(options: Partial<PostgresOptions> = {}): Promise<PostgresServer> {
  const server = await startPostgres({ dataDir, port: 0, ...options });
  running.push(server);
  return server;
}

async function query(url: string, sql: string): Promise<unknown[][]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query({ text: sql, rowMode: 'array' })).rows;
  } finally {
    await client.end();
  }
}

describe('startPostgres', () => {
  test('starts a server on a free port of the loopback address that keeps what it acknowledged', async () => {
    const { url, port } = await start();
    expect(url).toBe(`postgresql://postgres@127.0.0.1:${port}/postgres`);
    const settings = await query(
      url,
      `SELECT name, setting FROM pg_settings WHERE name IN
       ('listen_addresses', 'unix_socket_directories', 'fsync', 'synchronous_commit', 'max_connections') ORDER BY name`,
    );
    expect(settings).toEqual([
      ['fsync', 'on'],
      ['listen_addresses', '127.0.0.1'],
      ['max_connections', '200'],
      ['synchronous_commit', 'on'],
      ['unix_socket_directories', ''],
    ]);
  });

  test('finds its data again after a restart', async () => {
    const first = await start();
    await query(first.url, 'CREATE TABLE kept AS SELECT 42 AS answer');
    await first.close();
    const second = await start();
    expect(await query(second.url, 'SELECT answer FROM kept')).toEqual([[42]]);
  });

  test('compares names without regard to case in every alphabet, whatever locale the machine has', async () => {
    const { url } = await start();
    expect(await query(url, `SELECT 'ÉCLAIR' ILIKE 'éclair', 'КРУЖКА' ILIKE 'кружка'`)).toEqual([
      [true, true],
    ]);
  });

  test('names the port when another process has it, and leaves no server behind', async () => {
    const other = await listen();
    const { port } = other.address() as { port: number };
    const lines: string[] = [];
    await expect(start({ port, log: line => lines.push(line) })).rejects.toThrow(new PortTakenError(port));
    expect(lines.at(-1)).toContain('database system is shut down');
    await new Promise(done => other.close(done));
    expect((await start({ port })).port).toBe(port);
  });

  test('does not take the data of a server whose parent is alive', async () => {
    const first = await start();
    await expect(start({ releaseTimeoutMs: 100 })).rejects.toThrow(
      /to be free, but got a running server: process \d+/,
    );
    expect(await query(first.url, 'SELECT 1')).toEqual([[1]]);
  });

  test('waits for a server on the same data that is about to end', async () => {
    const first = await start();
    await query(first.url, 'CREATE TABLE written AS SELECT 42 AS answer');
    const starting = start();
    await first.close();
    expect(await query((await starting).url, 'SELECT answer FROM written')).toEqual([[42]]);
  });

  test('starts although its old process number went to another program', async () => {
    await (await start()).close();
    const { uid, gid } = await stat(dataDir);
    const other = spawn('sleep', ['600'], { uid, gid, stdio: 'ignore' });
    await once(other, 'spawn');
    try {
      await writeFile(join(dataDir, 'postmaster.pid'), `${other.pid}\n${dataDir}\n`);
      const { url } = await start();
      expect(await query(url, 'SELECT 1')).toEqual([[1]]);
      expect(other.exitCode).toBeNull();
    } finally {
      other.kill();
      await once(other, 'exit');
    }
  });

  test('begins anew where an earlier initialisation was interrupted', async () => {
    const other = join(folder, 'interrupted');
    await mkdir(`${other}.unfinished`);
    await writeFile(join(`${other}.unfinished`, 'PG_VERSION'), '18\n');
    const { url } = await start({ dataDir: other });
    expect(await query(url, 'SELECT 1')).toEqual([[1]]);
    await expect(stat(`${other}.unfinished`)).rejects.toThrow('ENOENT');
  });

  test('refuses a folder that holds something else, and leaves it as it was', async () => {
    const other = join(folder, 'other');
    await mkdir(other);
    await writeFile(join(other, 'thesis.txt'), 'years of work');
    await expect(start({ dataDir: other })).rejects.toThrow(
      `expected ${other} to be its own or an empty folder, but got ENOTEMPTY`,
    );
    expect(await readFile(join(other, 'thesis.txt'), 'utf8')).toBe('years of work');
  });

  test('tells the last words of a server that does not start', async () => {
    await (await start()).close();
    const versionFile = join(dataDir, 'PG_VERSION');
    const version = await readFile(versionFile, 'utf8');
    await writeFile(versionFile, '9.6\n');
    await expect(start()).rejects.toThrow('initialized by PostgreSQL version 9.6');
    await writeFile(versionFile, version);
  });

  test('resolves exited when the server ends, and closes any number of times', async () => {
    const server = await start();
    await Promise.all([server.close(), server.close()]);
    await server.close();
    await expect(server.exited).resolves.toBeUndefined();
  });
});

async function listen(): Promise<Server> {
  const server = createServer();
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done));
  return server;
}
