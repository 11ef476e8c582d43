import { isIP } from 'node:net';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { anyHost, createInstanceHosts } from './host.ts';
import { registrySettings } from './settings.ts';

function hostsOf(settings: Record<string, string>) {
  return createInstanceHosts(registrySettings.parse(settings));
}

describe('without settings', () => {
  test.each([
    '127.0.0.1',
    '::1',
    'localhost',
    '10.1.2.3',
    '8.8.8.8',
    'fd00::1',
    '64:ff9b::8.8.8.8',
    'stock.example.com',
  ])('an instance may be at %s', host => {
    expect(anyHost.faultOf(host)).toBeUndefined();
  });

  test.each([
    ['unspecified', '0.0.0.0'],
    ['unspecified', '::'],
    ['link-local, where clouds serve credentials', '169.254.169.254'],
    ['the same as an IPv6 address', '::ffff:169.254.169.254'],
    ['the same in hexadecimal', '::ffff:a9fe:a9fe'],
    ['the same behind NAT64', '64:ff9b::a9fe:a9fe'],
    ['link-local', 'fe80::1'],
    ["Alibaba's metadata", '100.100.100.200'],
    ["Azure's", '168.63.129.16'],
    ["Amazon's over IPv6", 'fd00:ec2::254'],
    ['multicast', '224.0.0.1'],
    ['multicast', 'ff02::1'],
    ['broadcast', '255.255.255.255'],
  ])('an instance may not be at an address that is %s: %s', (_what, host) => {
    expect(anyHost.faultOf(host)).toBe('an address where a service can be');
  });
});

describe('with SUBGRAPH_NETWORKS', () => {
  const hosts = hostsOf({ SUBGRAPH_NETWORKS: '10.0.0.0/8, 192.168.1.7, fd12::/16' });

  test.each(['10.1.2.3', '::ffff:10.1.2.3', '192.168.1.7', 'fd12::5', 'any.example.com'])(
    'an instance may be at %s',
    host => {
      expect(hosts.faultOf(host)).toBeUndefined();
    },
  );

  test.each(['127.0.0.1', '11.0.0.1', '192.168.1.8', 'fd13::5', '::1'])('and not at %s', host => {
    expect(hosts.faultOf(host)).toBe(
      'an address in one of SUBGRAPH_NETWORKS, 10.0.0.0/8, 192.168.1.7, fd12::/16',
    );
  });

  test('an instance may never be where clouds serve credentials', () => {
    const everywhere = hostsOf({ SUBGRAPH_NETWORKS: '0.0.0.0/0,::/0' });
    expect(everywhere.faultOf('127.0.0.1')).toBeUndefined();
    expect(everywhere.faultOf('169.254.169.254')).toBe('an address where a service can be');
  });

  test.each(['10.0.0.0/33', '10.0.0/8', 'fd00::/129', '10.0.0.0/', '10.0.0.0/8/8', 'stock', 'fe80::1%eth0'])(
    '%s is no network',
    network => {
      expect(() => hostsOf({ SUBGRAPH_NETWORKS: network })).toThrow(`but got ${network}`);
    },
  );
});

const address = fc.oneof(fc.ipV4(), fc.ipV6());
/** Texts that are nearly hosts or networks. */
const nearly = fc.oneof(
  address,
  fc.string({ maxLength: 300 }),
  fc.string({ unit: 'binary' }),
  fc.domain(),
  fc.stringMatching(/^[0-9a-fx.:%[\]/@-]{0,60}$/),
);

test('a host that is good stands in a URL as it is, whatever its registrant wrote', () => {
  fc.assert(
    fc.property(nearly, host => {
      if (anyHost.faultOf(host) !== undefined) return;
      const written = isIP(host) === 6 ? `[${host}]` : host;
      const { hostname, pathname, username } = new URL(`http://${written}:80/path`);
      expect({ pathname, username }).toEqual({ pathname: '/path', username: '' });
      if (isIP(host) !== 6) expect(hostname).toBe(host.toLowerCase());
    }),
    { numRuns: 500 },
  );
});

test('networks are read, or refused as a setting', () => {
  const network = fc.oneof(
    nearly,
    fc.tuple(address, fc.integer({ min: -1, max: 200 })).map(parts => parts.join('/')),
  );
  fc.assert(
    fc.property(fc.array(network, { maxLength: 4 }), address, (networks, host) => {
      const settings = registrySettings.safeParse({ SUBGRAPH_NETWORKS: networks.join(',') });
      if (settings.success) createInstanceHosts(settings.data).faultOf(host);
    }),
    { numRuns: 500 },
  );
});

describe('with SUBGRAPH_HOST_SUFFIXES', () => {
  const suffixes = { SUBGRAPH_HOST_SUFFIXES: '.svc.cluster.local, shop.internal' };

  test.each(['stock.default.svc.cluster.local', 'Stock.Shop.Internal', 'shop.internal', 'a.shop.internal.'])(
    'an instance may be at %s',
    host => {
      expect(hostsOf(suffixes).faultOf(host)).toBeUndefined();
    },
  );

  test.each(['stock', 'evil-shop.internal', 'shop.internal.example.com', '10.1.2.3', '::1'])(
    'and not at %s',
    host => {
      expect(hostsOf(suffixes).faultOf(host)).toBe(
        'a name that ends in one of SUBGRAPH_HOST_SUFFIXES, .svc.cluster.local, shop.internal',
      );
    },
  );

  test('an address may stand for a name where its network is named too', () => {
    const hosts = hostsOf({ ...suffixes, SUBGRAPH_NETWORKS: '10.0.0.0/8' });
    expect(hosts.faultOf('10.1.2.3')).toBeUndefined();
    expect(hosts.faultOf('11.1.2.3')).toContain('SUBGRAPH_NETWORKS');
  });
});
