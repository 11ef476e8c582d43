import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Child, startChild } from '../../dev/child.ts';
import { freePort } from '../../platform/free-port.ts';
import { useFront } from '../helpers/front.ts';
import { metricOf } from '../helpers/metrics.ts';
import { findProgram } from '../helpers/programs.ts';
import { readText } from './compose.ts';

const haproxy = findProgram('haproxy');
if (!haproxy)
  console.warn(
    'SKIPPED: haproxy is not installed (apt-get install haproxy), so that it did not run proxy/haproxy.cfg.',
  );

/** Longest wait for a gateway or the proxy to do something. */
const waiting = { timeout: 20_000 };

interface Answer {
  readonly status: number;
  readonly text: string;
}

describe.skipIf(!haproxy)('HAProxy with proxy/haproxy.cfg, when a gateway is killed', () => {
  const front = useFront();
  /** Answers the operations that wait in the subgraph. */
  const held: (() => void)[] = [];
  const hold = () => new Promise(resolve => held.push(() => resolve('held')));
  let folder = '';
  let port = 0;
  let second: Child;
  let endProxy: (() => Promise<void>) | undefined;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'portico-test-'));
    const subgraph = await front.serve({
      name: 'holder',
      typeDefs: 'type Query { hold: String, now: String } type Mutation { hold: String, now: String }',
      resolvers: { Query: { hold, now: () => 'now' }, Mutation: { hold, now: () => 'now' } },
    });
    await subgraph.register();
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  beforeEach(async () => {
    if (front.gateway.stopping) await front.startGateway();
    second = await startChild({
      name: 'gateway-2',
      entry: 'gateway/main.ts',
      onLine: () => {},
      env: {
        GATEWAY_PORT: '0',
        EUREKA_URL: front.registryUrl,
        CALLER_SECRET: front.keys.callerSecret,
        JWT_JWKS_URL: front.keys.jwksUrl,
        GATEWAY_DATA_DIR: join(folder, 'gateway-2'),
      },
    });
    for (const gateway of [front.gateway, second])
      await expect
        .poll(() => metricOf(gateway, 'gateway_supergraph_phase', { phase: 'serving' }), waiting)
        .toBe(1);
    port = await freePort();
    endProxy = await startProxy();
  });
  afterEach(async () => {
    for (const letGo of held.splice(0)) letGo();
    await endProxy?.();
    await second.stop();
  });

  async function startProxy(): Promise<() => Promise<void>> {
    const file = join(folder, 'haproxy.cfg');
    await writeFile(file, await configFor(port, [front.gateway, second]));
    const proxy = spawn(haproxy ?? '', ['-db', '-f', file], { stdio: 'ignore' });
    const exited = once(proxy, 'exit');
    await expect
      .poll(() => send('GET', '{ now }').catch(() => undefined), waiting)
      .toMatchObject({ status: 200 });
    return async () => {
      proxy.kill();
      await exited;
    };
  }

  async function send(method: 'GET' | 'POST', query: string): Promise<Answer> {
    const url = `http://127.0.0.1:${port}/graphql`;
    const headers = {
      'content-type': 'application/json',
      'apollo-require-preflight': 'true',
      connection: 'close',
    };
    const asked =
      method === 'GET'
        ? fetch(`${url}?query=${encodeURIComponent(query)}`, { headers })
        : fetch(url, { method: 'POST', headers, body: JSON.stringify({ query }) });
    const response = await asked;
    return { status: response.status, text: await response.text() };
  }

  /** Kills the gateway that is executing an operation, which waits in the subgraph. */
  async function killTheBusyOne(): Promise<void> {
    await expect.poll(() => held.length, waiting).toBe(1);
    for (const gateway of [front.gateway, second])
      if ((await metricOf(gateway, 'gateway_requests_under_way')) > 0) return gateway.stop('SIGKILL');
    throw new Error('one of the gateways expected to execute the operation, but none does');
  }

  test('a query by GET that it was executing is answered by the other one', async () => {
    const answer = send('GET', '{ hold }');
    await killTheBusyOne();
    await expect.poll(() => held.length, waiting).toBe(2);
    for (const letGo of held) letGo();
    expect(await answer).toEqual({ status: 200, text: '{"data":{"hold":"held"}}\n' });
  });

  test.each(['mutation { hold }', '{ hold }'])('%s by POST fails, and is not sent again', async query => {
    const answer = send('POST', query);
    await killTheBusyOne();
    expect((await answer).status).toBe(502);
    expect(held).toHaveLength(1);
  });

  test('what comes after that goes to the other one, before the proxy has noticed', async () => {
    await front.gateway.stop('SIGKILL');
    for (let index = 0; index < 10; index++)
      expect(await send('POST', 'mutation { now }')).toMatchObject({ status: 200 });
  });
});

/** The configuration with addresses of this machine in the place of the containers' names. */
async function configFor(port: number, gateways: readonly Child[]): Promise<string> {
  const servers = gateways.map(
    ({ name, ready: { ports } }) =>
      `  server ${name} 127.0.0.1:${ports?.['http']} check port ${ports?.['management']}`,
  );
  const config = (await readText('proxy', 'haproxy.cfg'))
    .replace('bind :4000', `bind 127.0.0.1:${port}`)
    .replace(/^resolvers docker\n(?: {2}.*\n)+/m, '')
    .replace(' init-addr libc,none resolvers docker', '')
    .replace('check port 8081 ', '')
    .replace(/^ {2}server .*\n?/gm, '');
  return `${config}${servers.join('\n')}\n`;
}
