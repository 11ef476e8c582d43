import type { LookupAddress, LookupOptions } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { anyHost, createInstanceHosts } from './host.ts';
import { createInstanceLookup, lookupAnyHost, RefusedAddressError } from './instance-connections.ts';

/** Says of every host that it leads to these addresses. */
const leadingTo =
  (...addresses: string[]): LookupFunction =>
  (_host, _options, callback) =>
    callback(
      null,
      addresses.map(address => ({ address, family: address.includes(':') ? 6 : 4 })),
    );

const ask = (lookup: LookupFunction, host: string, options: LookupOptions) =>
  promisify<string, LookupOptions, string | LookupAddress[]>(
    lookup as (
      host: string,
      options: LookupOptions,
      done: (error: Error | null, found: string | LookupAddress[]) => void,
    ) => void,
  )(host, options);

test("the system's own look-up of a host is passed on", async () => {
  expect(await ask(lookupAnyHost, 'localhost', { family: 4 })).toBe('127.0.0.1');
  expect(await ask(lookupAnyHost, 'localhost', { all: true, family: 4 })).toEqual([
    { address: '127.0.0.1', family: 4 },
  ]);
});

test('a host that really leads elsewhere than instances may be is refused, and the setting is named', async () => {
  const hosts = createInstanceHosts({ SUBGRAPH_NETWORKS: ['10.0.0.0/8'], SUBGRAPH_HOST_SUFFIXES: [] });
  const refused = ask(createInstanceLookup(hosts), 'localhost', { all: true, family: 4 });
  await expect(refused).rejects.toThrow(
    new RefusedAddressError('localhost', ['127.0.0.1'], 'an address in one of SUBGRAPH_NETWORKS, 10.0.0.0/8'),
  );
});

test('of the addresses of a host only those are tried where instances may be', async () => {
  const lookup = createInstanceLookup(anyHost, leadingTo('169.254.169.254', '10.0.0.1', 'fe80::1', '::1'));
  expect(await ask(lookup, 'stock', { all: true })).toEqual([
    { address: '10.0.0.1', family: 4 },
    { address: '::1', family: 6 },
  ]);
  expect(await ask(lookup, 'stock', {})).toBe('10.0.0.1');
});

test.each([['169.254.169.254'], ['::ffff:a9fe:a9fe', '0.0.0.0']])(
  'a host that leads to %s is refused',
  async (...to) => {
    await expect(ask(createInstanceLookup(anyHost, leadingTo(...to)), 'stock', {})).rejects.toThrow(
      `stock is not connected to: it leads to ${to.join(', ')}, and not to an address where a service can be`,
    );
  },
);

test('a host that is not known fails as it always does', async () => {
  await expect(ask(lookupAnyHost, 'nothing.invalid', {})).rejects.toMatchObject({ syscall: 'getaddrinfo' });
});
