import { randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { startChild } from '../../dev/child.ts';
import { freePort } from '../../platform/free-port.ts';
import { placedOrderId } from '../helpers/shop.ts';
import { useSystem } from '../helpers/system.ts';

const canary = (name: string) => `canary-${name}-${randomBytes(16).toString('hex')}`;
const secrets = {
  DISCOVERY_TOKEN: canary('discovery'),
  MANAGEMENT_TOKEN: canary('management'),
  QUERY_PLAN_SECRET: canary('plan'),
};
/** A token of a client, or of a caller between processes: RFC 7519, in the compact form. */
const jwt = /eyJ[\w-]{5,}\.eyJ[\w-]{5,}\.[\w-]{5,}/;

/** Texts by the place where somebody may read them. */
type Places = Map<string, string>;

/** Names the places whose text has a secret or a token. */
function leaksIn(places: Places, planted: readonly string[]): string[] {
  const found: string[] = [];
  for (const [place, text] of places) {
    for (const secret of planted) if (text.includes(secret)) found.push(`${place} has ${secret}`);
    const [token] = jwt.exec(text) ?? [];
    if (token !== undefined) found.push(`${place} has a token: ${token.slice(0, 20)}…`);
  }
  return found;
}

async function readFiles(folder: string, places: Places): Promise<void> {
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true }))
    if (entry.isFile()) {
      const file = join(entry.parentPath, entry.name);
      places.set(file, await readFile(file, 'latin1'));
    }
}

describe('a secret', () => {
  const shop = useSystem({ env: { ...secrets, LOG_LEVEL: 'trace' } });

  /** Reads all that a process shows on its management port, to an operator and to others. */
  async function readManagement(name: string, places: Places): Promise<void> {
    const root = shop.actuator(name, '').slice(0, -1);
    const { _links: links } = (await (await fetch(root)).json()) as { _links: Record<string, object> };
    for (const link of Object.keys(links).filter(each => each !== 'self')) {
      const url = `${root}/${link.replaceAll('-', '/')}`;
      const operator = await fetch(url, { headers: { authorization: `Bearer ${secrets.MANAGEMENT_TOKEN}` } });
      expect(operator.status).toBe(200);
      places.set(`${url} for an operator`, await operator.text());
      places.set(url, await (await fetch(url)).text());
    }
  }

  /** Uses the graph with every kind of credential, accepted and refused. */
  async function useGraph(places: Places): Promise<void> {
    const { graphUrl, keys } = shop.system;
    const token = await keys.mintToken('alice', { scopes: ['admin'] });
    expect(token).toMatch(jwt);
    const ask = async (query: string, headers: Record<string, string>) => {
      const response = await fetch(graphUrl, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify({ query }),
      });
      const text = await response.text();
      places.set(`the answer to ${query} with ${Object.keys(headers).join()}`, text);
      return text;
    };
    const authorization = `Bearer ${token}`;
    expect(await ask('{ orders { edges { node { id } } } }', { authorization })).toContain('"edges"');
    const plan = { authorization, 'apollo-expose-query-plan': secrets.QUERY_PLAN_SECRET };
    expect(await ask('{ products { edges { node { sku inStock } } } }', plan)).toContain('queryPlan');
    await ask('{ products { edges { node { sku } } } }', {
      'apollo-expose-query-plan': `${secrets.QUERY_PLAN_SECRET}x`,
    });
    await ask('{ nothing }', { authorization });
    await ask('mutation { cancelOrder(id: "0190a0b0-0000-7000-8000-000000000000") { id } }', {
      authorization,
    });
    // One letter of the signature is another.
    const forged = `${token.slice(0, -6)}${token.at(-6) === 'A' ? 'B' : 'A'}${token.slice(-5)}`;
    expect(await ask('{ __typename }', { authorization: `Bearer ${forged}` })).toContain('UNAUTHENTICATED');
    const socket = new WebSocket(graphUrl.replace('http', 'ws'), 'graphql-transport-ws');
    const closed = new Promise<string>(resolve => {
      socket.once('close', (_code, reason) => resolve(String(reason)));
    });
    socket.once('open', () =>
      socket.send(
        JSON.stringify({ type: 'connection_init', payload: { authorization: `Bearer ${forged}` } }),
      ),
    );
    places.set('the reason of a closed WebSocket', await closed);
  }

  test('of the system, or a token, is in no log, metric, answer, or file, and on no management endpoint', async () => {
    const places: Places = new Map();
    await useGraph(places);
    await placedOrderId(await shop.client('alice'), [{ sku: 'MUG-BLACK', quantity: 1 }]);
    for (const [name, { ready }] of shop.system.children)
      if (ready.ports?.['management']) await readManagement(name, places);
    const registry = shop.system.registryUrl.replace(/\/eureka$/, '');
    for (const path of ['/', '/eureka/apps', '/eureka/v2/apps'])
      places.set(`${registry}${path}`, await (await fetch(`${registry}${path}`)).text());
    await readFiles(join(shop.dataDir, 'logs'), places);
    await readFiles(join(shop.dataDir, 'gateway'), places);
    expect(places.size).toBeGreaterThan(30);
    expect([...places.values()].join('').length).toBeGreaterThan(100_000);
    expect(leaksIn(places, [...Object.values(secrets), shop.system.keys.callerSecret])).toEqual([]);
  });

  test('in the address of a database, or of a broker, that cannot be reached is in no log', async () => {
    const planted = [canary('database'), canary('kafka')];
    const lines: string[] = [];
    const start = startChild({
      name: 'orders',
      entry: 'subgraphs/orders/main.ts',
      onLine: (_name, line) => void lines.push(line),
      env: {
        LOG_LEVEL: 'trace',
        DATABASE_URL: `postgresql://orders:${planted[0]}@127.0.0.1:${await freePort()}/orders`,
        KAFKA_BROKERS: `127.0.0.1:${await freePort()}`,
        KAFKA_SASL_MECHANISM: 'plain',
        KAFKA_SASL_USERNAME: 'orders',
        KAFKA_SASL_PASSWORD: planted[1] ?? '',
        EUREKA_URL: shop.system.registryUrl,
        CALLER_SECRET: shop.system.keys.callerSecret,
        ...secrets,
      },
    });
    await expect(start).rejects.toThrow('ECONNREFUSED');
    const log = lines.join('\n');
    expect(log).toContain('ECONNREFUSED');
    expect(leaksIn(new Map([['the log', log]]), [...planted, ...Object.values(secrets)])).toEqual([]);
  });
});
