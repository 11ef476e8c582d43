import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { startPostgres } from './server.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

/** An account that every system has and that owns nothing. */
const nobody = 65_534;

interface Ready {
  type: string;
  name: string;
  port: number;
  url: string;
}

/** The process under test, what it wrote, and what comes of it. */
interface Started {
  child: ChildProcess;
  output: string[];
  exited: Promise<unknown[]>;
}

let folder: string;
const children: ChildProcess[] = [];

// One data directory for all: it takes a second to initialise, and every test leaves it at rest.
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'portico-test-'));
  // As root, the server runs as another user, who has to get to its data.
  await chmod(folder, 0o755);
});

afterEach(async () => {
  for (const child of children.splice(0))
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM');
      await once(child, 'exit');
    }
});

afterAll(async () => {
  await rm(folder, { recursive: true });
});

interface StartOptions {
  port?: string;
  dataDir?: string;
  account?: { uid: number; gid: number };
}

function startMain({ port = '0', dataDir = join(folder, 'data'), account }: StartOptions = {}): Started {
  const child = fork(join(import.meta.dirname, 'main.ts'), {
    execArgv: ['--import', 'tsx'],
    env: { ...process.env, POSTGRES_PORT: port, POSTGRES_DATA_DIR: dataDir },
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    ...account,
  });
  children.push(child);
  const { stderr } = child;
  if (stderr === null) throw new TypeError('expected a pipe, but got none');

  const output: string[] = [];
  stderr.on('data', chunk => output.push(String(chunk)));
  // Not 'close': Node does not emit it after the parent's own disconnect().
  const exited = Promise.all([once(child, 'exit'), once(stderr, 'end')]).then(([exit]) => exit);
  return { child, output, exited };
}

async function ready({ child, output, exited }: Started): Promise<Ready> {
  const [message] = await Promise.race([
    once(child, 'message'),
    exited.then(() => Promise.reject(new Error(`expected a ready message, but got:\n${output.join('')}`))),
  ]);
  return message;
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

describe('the process of the embedded PostgreSQL', () => {
  test('tells its parent where it listens, and stops the server on SIGTERM', async () => {
    const main = startMain();
    const { type, name, url } = await ready(main);
    expect({ type, name }).toEqual({ type: 'ready', name: 'postgres' });
    expect(await query(url, 'SELECT 1')).toEqual([[1]]);
    main.child.kill('SIGTERM');
    expect(await main.exited).toEqual([0, null]);
    await expect(query(url, 'SELECT 1')).rejects.toThrow('ECONNREFUSED');
  });

  test('stops the server when its parent goes away', async () => {
    const main = startMain();
    const { url } = await ready(main);
    main.child.disconnect();
    expect(await main.exited).toEqual([0, null]);
    await expect(query(url, 'SELECT 1')).rejects.toThrow('ECONNREFUSED');
  });

  test('leaves no server behind when it is told to stop while it starts', async () => {
    const main = startMain();
    await once(main.child.stderr ?? main.child, 'data');
    main.child.kill('SIGINT');
    expect(await main.exited).toEqual([0, null]);
    expect(main.output.join('')).toContain('database system is shut down');
  });

  test('after it was killed, the next start stops the orphaned server and loses nothing', async () => {
    const main = startMain();
    const { url } = await ready(main);
    await query(url, 'CREATE TABLE kept AS SELECT 42 AS answer');
    main.child.kill('SIGKILL');
    await once(main.child, 'exit');
    expect(await query(url, 'SELECT answer FROM kept')).toEqual([[42]]);
    const dataDir = join(folder, 'data');
    const orphan = Number((await readFile(join(dataDir, 'postmaster.pid'), 'utf8')).split('\n')[0]);

    const lines: string[] = [];
    const server = await startPostgres({ dataDir, port: 0, log: line => lines.push(line) });
    try {
      expect(lines[0]).toMatch(`stopped process ${orphan}, which a killed process had left running`);
      expect(await query(server.url, 'SELECT answer FROM kept')).toEqual([[42]]);
      // A clean stop: nothing had to be recovered.
      expect(lines.join('\n')).not.toContain('recovery');
      await expect(query(url, 'SELECT 1')).rejects.toThrow('ECONNREFUSED');
    } finally {
      await server.close();
    }
  });

  test('exits with 1 and names the port when another process has it', async () => {
    const other = createServer();
    await new Promise<void>(done => other.listen(0, '127.0.0.1', done));
    const { port } = other.address() as { port: number };
    const main = startMain({ port: String(port) });
    expect(await main.exited).toEqual([1, null]);
    expect(main.output.join('')).toContain(`Port ${port} of 127.0.0.1 is taken`);
    await new Promise(done => other.close(done));
  });

  test('exits with 1 when the port is not a number', async () => {
    const main = startMain({ port: 'five' });
    expect(await main.exited).toEqual([1, null]);
    expect(main.output.join('')).toContain('POSTGRES_PORT must be a port number from 0 to 65535; it is five');
  });

  test.runIf(process.getuid?.() === 0)('runs as an ordinary user too', async () => {
    await chmod(folder, 0o777);
    const dataDir = join(folder, 'of-nobody');
    const main = startMain({ dataDir, account: { uid: nobody, gid: nobody } });
    const { url } = await ready(main);
    expect(await query(url, 'SELECT 1')).toEqual([[1]]);
    main.child.kill('SIGTERM');
    expect(await main.exited).toEqual([0, null]);
    expect((await stat(dataDir)).uid).toBe(nobody);
  });
});
