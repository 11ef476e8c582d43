import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { type AddressInfo, connect, createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { openDevKeys } from '../../cli/keys.ts';
import { createGraphClient } from '../../dev/graph-client.ts';
import { rootDir } from '../../dev/settings.ts';
import { freePorts, makeDataDir } from '../helpers/system.ts';
import { serveWithoutFirstResult } from './lossy-gateway.ts';

/** Which of the ports still take connections. */
async function openPortsOf(ports: readonly number[]): Promise<number[]> {
  const open: number[] = [];
  for (const port of ports) {
    const socket = connect(port, '127.0.0.1');
    if (
      await once(socket, 'connect').then(
        () => true,
        () => false,
      )
    )
      open.push(port);
    socket.destroy();
  }
  return open;
}

describe('npm start and npm run demo', () => {
  let dataDir = '';
  const started: ChildProcess[] = [];
  beforeAll(async () => {
    dataDir = await makeDataDir();
  });
  afterAll(async () => {
    for (const child of started) child.kill('SIGKILL');
    await rm(dataDir, { recursive: true, force: true });
  });

  const run = (script: string, args: readonly string[] = [], env: Record<string, string> = {}) =>
    runProgram(process.execPath, ['--import', 'tsx', script, ...args], env);

  function runProgram(program: string, args: readonly string[], env: Record<string, string> = {}) {
    const child = spawn(program, args, {
      cwd: rootDir,
      env: { ...process.env, ...freePorts, PORTICO_DATA_DIR: dataDir, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    started.push(child);
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', chunk => {
        output += String(chunk);
      });
    return { child, output: () => output, ended: once(child, 'exit').then(([code]) => code as number) };
  }

  test('a port in use is reported by its name and number before anything is started', async () => {
    const squatter = createServer().listen(0, '127.0.0.1');
    await once(squatter, 'listening');
    const { port } = squatter.address() as AddressInfo;
    const start = run('dev/main.ts', [], { GATEWAY_PORT: String(port) });
    expect(await start.ended).toBe(1);
    expect(start.output()).toContain(`port ${port} of gateway is taken; set GATEWAY_PORT`);
    expect(start.output()).not.toContain('postgres');
    squatter.close();
  });

  test.each([
    [['--scale', 'order=2'], '--scale must name one of products, inventory, orders, notifications'],
    [['--nonsense'], '--nonsense'],
  ])('the arguments %j are refused with what was expected', async (args, message) => {
    const start = run('dev/main.ts', args);
    expect(await start.ended).toBe(1);
    expect(start.output()).toContain(message);
  });

  type Run = ReturnType<typeof run>;
  const addressIn = ({ output }: Run, what: string) =>
    new RegExp(`${what} {2,}(http\\S+)`).exec(output())?.[1] ?? '';
  const isUp = (start: Run) =>
    vi.waitFor(() => expect(start.output()).toContain('Ctrl-C stops everything'), {
      timeout: 100_000,
      interval: 100,
    });

  /** Counts the orders of the demonstration's customer in a system that runs. */
  async function ordersOfDemo(start: Run): Promise<number | undefined> {
    const keys = await openDevKeys(dataDir);
    const client = createGraphClient(addressIn(start, 'graph'), await keys.mintToken('demo-customer'));
    const { data } = await client.request<{ orders: { edges: unknown[] } }>(
      '{ orders { edges { cursor } } }',
    );
    return data?.orders.edges.length;
  }

  describe('a system of two orders instances', () => {
    let start: Run;
    beforeAll(async () => {
      start = run('dev/main.ts', ['--scale', 'orders=2', '--fresh']);
      await isUp(start);
    });
    const address = (what: string) => addressIn(start, what);

    test.each(['postgres', 'kafka', 'discovery', 'migrations', 'seed', 'gateway', 'orders-1', 'orders-2'])(
      'the start of %s is reported with its place and time',
      what => {
        expect(start.output()).toMatch(new RegExp(`✔.* ${what} .* \\d+\\.\\d s`));
      },
    );

    test('both instances are in the registry', async () => {
      const apps = await fetch(`${address('registry')}eureka/apps/ORDERS`, {
        headers: { accept: 'application/json' },
      });
      const { application } = (await apps.json()) as { application: { instance: unknown[] } };
      expect(application.instance).toHaveLength(2);
    });

    test('the demonstration uses the system that runs, and all its notifications arrive', async () => {
      const demo = run('dev/demo.ts', [], { GATEWAY_PORT: new URL(address('graph')).port });
      expect(await demo.ended, demo.output()).toBe(0);
      expect(demo.output()).toContain('Using the system that runs');
      expect(demo.output().match(/ms after the commit/g)).toHaveLength(3);
    });

    test('the demonstration fails when a notification is missing', async () => {
      const lossy = await serveWithoutFirstResult(address('graph'));
      onTestFinished(lossy.close);
      const demo = run('dev/demo.ts', [], { GATEWAY_PORT: String(lossy.port) });
      expect(await demo.ended, demo.output()).toBe(1);
      expect(demo.output().match(/is placed/g)).toHaveLength(3);
      expect(demo.output().match(/ms after the commit/g)).toHaveLength(2);
      expect(demo.output()).toContain('Not all notifications arrived');
    });

    test('Ctrl-C stops everything and leaves no process behind', async () => {
      start.child.kill('SIGINT');
      expect(await start.ended, start.output()).toBe(0);
      expect(start.output()).toContain('Everything has stopped');
      for (const url of [address('graph'), address('registry')])
        await expect(fetch(url)).rejects.toThrow('fetch failed');
    });
  });

  const portsOf = ({ output }: ReturnType<typeof run>) =>
    [...output().matchAll(/127\.0\.0\.1:(\d+) /g)].map(([, port]) => Number(port));

  test('another start finds its data again, and one that is killed leaves no process behind either', async () => {
    const start = run('dev/main.ts');
    await isUp(start);
    expect(await ordersOfDemo(start)).toBe(6);
    const ports = portsOf(start);
    expect(ports.length).toBeGreaterThanOrEqual(8);

    start.child.kill('SIGKILL');

    await expect.poll(() => openPortsOf(ports), { timeout: 15_000 }).toEqual([]);
  });

  test.each(['SIGTERM', 'SIGHUP', 'SIGKILL'] as const)(
    'everything ends when npm gets %s, and the orders are there at the next start',
    async signal => {
      const start = runProgram('npm', ['start']);
      await isUp(start);
      expect(await ordersOfDemo(start)).toBe(6);
      const ports = portsOf(start);
      expect(ports.length).toBeGreaterThanOrEqual(8);
      const allOutput = once(start.child, 'close');

      start.child.kill(signal);

      await expect.poll(() => openPortsOf(ports), { timeout: 15_000 }).toEqual([]);
      await allOutput;
      expect(start.output()).toContain('Everything has stopped');
    },
  );

  test.each(['SIGTERM', 'SIGKILL'] as const)(
    'a start that gets %s before it is up leaves nothing behind, and the next one starts',
    async signal => {
      const dir = await makeDataDir();
      onTestFinished(() => rm(dir, { recursive: true, force: true }));
      const first = run('dev/main.ts', [], { PORTICO_DATA_DIR: dir });
      await expect.poll(first.output, { timeout: 30_000 }).toContain('✔ postgres');
      const ports = portsOf(first);
      first.child.kill(signal);
      await first.ended;
      await expect.poll(() => openPortsOf(ports), { timeout: 15_000 }).toEqual([]);
      if (signal === 'SIGTERM') expect(first.output()).toContain('Stopped by SIGTERM');

      const second = run('dev/main.ts', [], { PORTICO_DATA_DIR: dir });
      await isUp(second);
      second.child.kill('SIGTERM');
      expect(await second.ended, second.output()).toBe(0);
    },
  );

  test('a fresh start has no data of those before', async () => {
    const start = run('dev/main.ts', ['--fresh']);
    await isUp(start);
    expect(await ordersOfDemo(start)).toBe(0);
    start.child.kill('SIGINT');
    expect(await start.ended, start.output()).toBe(0);
  });

  test('the demonstration starts a system by itself when none runs', async () => {
    const demo = run('dev/demo.ts');
    expect(await demo.ended, demo.output()).toBe(0);
    expect(demo.output()).toContain('Starting a system');
    expect(demo.output()).toContain('All three notifications arrived.');
  });
});
