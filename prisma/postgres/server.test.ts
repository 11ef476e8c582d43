import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, cp, mkdir, mkdtemp, readFile, realpath, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { findPostgresBinaries, type PostgresBinaries } from './binaries.ts';
import { PortTakenError } from './process.ts';
import { reachablePrograms } from './reachable.ts';
import { type PostgresOptions, type PostgresServer, startPostgres } from './server.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

/** A process that does nothing. */
const idle = [process.execPath, '-e', 'setInterval(() => {}, 1e6)'];
/** An account that every system has and that owns nothing. */
const nobody = 65_534;

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

describe.runIf(process.getuid?.() === 0)('for root in a folder that others may not enter', () => {
  let closed: string;
  beforeAll(async () => {
    // As a folder of `mktemp -d`, or root's own home.
    closed = await mkdtemp(join(tmpdir(), 'portico-closed-'));
    expect((await stat(closed)).mode & 0o777).toBe(0o700);
  });
  afterAll(() => rm(closed, { recursive: true }));

  test('the data is elsewhere, where a link in the folder leads, and is kept', async () => {
    const lines: string[] = [];
    const options = { dataDir: join(closed, 'postgres'), log: (line: string) => void lines.push(line) };
    const server = await start(options);
    onTestFinished(() => rm(server.dataDir, { recursive: true }));
    expect(await realpath(options.dataDir)).toBe(server.dataDir);
    expect(lines).toContain(
      `PostgreSQL's data is in ${server.dataDir}, since its user may not enter ${closed}`,
    );
    await query(server.url, 'CREATE TABLE kept AS SELECT 42 AS answer');
    await server.close();

    const again = await start(options);
    expect(again.dataDir).toBe(server.dataDir);
    expect(await query(again.url, 'SELECT answer FROM kept')).toEqual([[42]]);
    await again.close();
  });

  test('data that was made when others might enter is not left behind in silence', async () => {
    const inner = join(closed, 'inner');
    await mkdir(inner);
    await chmod(closed, 0o755);
    const server = await start({ dataDir: join(inner, 'postgres') });
    await server.close();
    await chmod(closed, 0o700);
    await expect(start({ dataDir: join(inner, 'postgres') })).rejects.toThrow(`chmod o+x ${closed}`);
  });

  test('programs that others may not run are copied, once', async () => {
    const native = join(dirname(findPostgresBinaries().postgres), '..');
    const hidden = join(closed, 'native');
    await cp(native, hidden, { recursive: true, verbatimSymlinks: true });
    await chmod(join(hidden, 'bin', 'postgres'), 0o700);
    const bin = join(hidden, 'bin');
    const name = `postgresql-test-${process.pid}`;
    const account = { uid: nobody, gid: nobody };
    const binaries = { name, initdb: join(bin, 'initdb'), postgres: join(bin, 'postgres') };
    const copies = await Promise.all([
      reachablePrograms(binaries, account),
      reachablePrograms(binaries, account),
    ]);
    const [{ postgres }] = copies as [PostgresBinaries, PostgresBinaries];
    onTestFinished(() => rm(join(dirname(postgres), '..'), { recursive: true }));
    expect(copies.map(copy => copy.postgres)).toEqual([postgres, postgres]);
    const { stdout } = await promisify(execFile)(postgres, ['--version'], { ...account, cwd: '/' });
    expect(stdout).toContain('PostgreSQL');
  });
});

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
      /is used by another server of PostgreSQL: process \d+/,
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

  test.each([
    ['another program', () => ['sleep', '600']],
    // In a container, the next start's own process has it.
    [
      'a process that starts PostgreSQL',
      () => [process.execPath, '-e', 'setInterval(() => {}, 1e6)', 'postgres'],
    ],
    ['a server of other data', () => [...idle, '/bin/postgres', '-D', `${dataDir}-2`]],
  ])('starts although its old process number went to %s', async (_case, commandOf) => {
    await (await start()).close();
    const { uid, gid } = await stat(dataDir);
    const [program = '', ...args] = commandOf();
    const other = spawn(program, args, { uid, gid, stdio: 'ignore', cwd: '/' });
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
      `cannot use ${other}, which is neither its own nor an empty folder: ENOTEMPTY`,
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
