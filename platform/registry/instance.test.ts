import { Writable } from 'node:stream';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createLogger } from '../log.ts';
import { graphqlUrlOf } from '../service-client.ts';
import { createEurekaClient } from './eureka-client.ts';
import { followRegistry } from './follower.ts';
import { takesRequests } from './instance.ts';
import { parseApplications, parseInstance } from './read-instances.ts';

const wire = (hostName: string, path?: string) => ({
  instanceId: 'a',
  hostName,
  app: 'STOCK',
  status: 'UP',
  port: { $: 4001, '@enabled': 'true' },
  ...(path === undefined ? {} : { metadata: { 'graphql.path': path } }),
});

describe('the address that an instance names', () => {
  test.each([
    ['stock.example.com', undefined, 'http://stock.example.com:4001/graphql'],
    ['Stock_1', '', 'http://Stock_1:4001/graphql'],
    ['10.0.0.1', '/api/v1:x/graphql', 'http://10.0.0.1:4001/api/v1:x/graphql'],
    ['::1', '/graphql', 'http://[::1]:4001/graphql'],
    ['0:0:0:0:0:0:0:1', '/graphql', 'http://[0:0:0:0:0:0:0:1]:4001/graphql'],
  ])('%j with the path %j is asked', (host, path, url) => {
    const instance = parseInstance(wire(host, path));
    expect(takesRequests(instance)).toBe(true);
    expect(graphqlUrlOf(instance)).toBe(url);
  });

  test.each([
    ['stock', '@evil.example.com/', 'graphql.path'],
    ['stock', '//evil.example.com/', 'graphql.path'],
    ['stock', 'graphql', 'graphql.path'],
    ['stock', '/graphql?x=1#y', 'graphql.path'],
    ['evil.example.com/', undefined, 'hostName'],
    ['user@evil.example.com', undefined, 'hostName'],
    ['evil.example.com:80', undefined, 'hostName'],
    ['2130706433', undefined, 'hostName'],
    ['', undefined, 'hostName'],
  ])('%j with the path %j is asked by nobody', (host, path, named) => {
    const instance = parseInstance(wire(host, path));
    expect(takesRequests(instance)).toBe(false);
    expect(instance.addressFault).toContain(named);
  });

  test('an instance whose subscriptions would lead elsewhere is asked by nobody', () => {
    const metadata = { 'graphql.subscriptions.path': '@evil.example.com/' };
    expect(parseInstance({ ...wire('stock'), metadata }).addressFault).toContain(
      'graphql.subscriptions.path',
    );
  });
});

test.each([
  ['leads elsewhere', wire('stock', '@evil.example.com/'), 'STOCK/a'],
  ['has no host', { ...wire('stock'), hostName: undefined }, 'STOCK/a'],
  ['has a port that is none', { ...wire('stock'), port: { $: 'none' } }, 'STOCK/a'],
  ['has no application', { ...wire('stock'), app: null }, 'UNKNOWN/a'],
  ['is nothing at all', null, 'UNKNOWN/unknown'],
])('an instance that %s is warned of once, and the others are followed', async (_case, bad, named) => {
  const lines: string[] = [];
  const destination = new Writable({
    write(chunk, _encoding, done) {
      lines.push(String(chunk));
      done();
    },
  });
  const application = [{ name: 'STOCK', instance: [bad, { ...wire('stock'), instanceId: 'b' }] }];
  const client = {
    ...createEurekaClient({ urls: [] }),
    openChanges: () => Promise.resolve(undefined),
    fetchAll: async () => parseApplications({ applications: { application } }),
    fetchDelta: () => Promise.resolve(undefined),
  };
  const view = followRegistry({ client, log: createLogger('test', { destination }), pollIntervalMs: 5 });
  onTestFinished(() => view.close());
  let polls = 0;
  view.onChange(() => {
    polls += 1;
  });
  await expect.poll(() => polls).toBeGreaterThan(2);
  expect(view.up('stock').map(({ id }) => id)).toEqual(['b']);
  expect(lines.filter(line => line.includes(`${named} is passed by`))).toHaveLength(1);
});
