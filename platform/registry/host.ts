import { BlockList, isIP } from 'node:net';
import type * as z from 'zod';
import type { instanceHostSettings } from './settings.ts';

const maxHostLength = 253;
const label = '[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?';
const hostName = new RegExp(`^${label}(?:\\.${label})*\\.?$`, 'i');

/**
 * Addresses at which no service can be: unspecified, link-local and others where clouds serve machine credentials, multicast,
 * reserved. A caller of a registered instance must not be led there.
 */
const unreachable = blockListOf([
  '0.0.0.0/8',
  '169.254.0.0/16',
  '224.0.0.0/3',
  '::/128',
  'fe80::/10',
  'ff00::/8',
  // Metadata of Alibaba, Azure and Oracle, and of Amazon and Google over IPv6.
  '100.100.100.200/32',
  '168.63.129.16/32',
  '192.0.0.192/32',
  'fd00:ec2::254/128',
  'fd20:ce::254/128',
  // The first three behind NAT64 (RFC 6052).
  '64:ff9b::/104',
  '64:ff9b::169.254.0.0/112',
  '64:ff9b::224.0.0.0/99',
]);

/** Places where instances may be. */
export interface InstanceHosts {
  /**
   * Checks the host of an instance: a name or an IP address, written so that every URL parser reads the same in it.
   *
   * @returns what was expected in its place; undefined when the host is good
   */
  faultOf(host: string): string | undefined;
  /** Checks an IP address, as {@link faultOf} does. */
  addressFaultOf(address: string): string | undefined;
}

type HostSettings = z.infer<typeof instanceHostSettings>;

/** Creates the check. Without settings, an instance may be anywhere where a service can be. */
export function createInstanceHosts(settings: Partial<HostSettings> = {}): InstanceHosts {
  const { SUBGRAPH_NETWORKS: networks = [], SUBGRAPH_HOST_SUFFIXES: suffixes = [] } = settings;
  const allowed = networks.length > 0 ? blockListOf(networks) : undefined;
  const endings = suffixes.map(suffix => `.${suffix.toLowerCase().replace(/^\./, '')}`);

  const nameFault = `a name that ends in one of SUBGRAPH_HOST_SUFFIXES, ${suffixes.join(', ')}`;

  function addressFaultOf(address: string): string | undefined {
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    if (unreachable.check(address, family)) return 'an address where a service can be';
    if (!allowed || allowed.check(address, family)) return undefined;
    return `an address in one of SUBGRAPH_NETWORKS, ${networks.join(', ')}`;
  }

  function nameFaultOf(host: string): string | undefined {
    if (!isCanonicalName(host)) return 'a host name or an IP address';
    const name = `.${host.toLowerCase().replace(/\.$/, '')}`;
    if (endings.length === 0 || endings.some(ending => name.endsWith(ending))) return undefined;
    return nameFault;
  }

  return {
    addressFaultOf,
    faultOf(host) {
      // A zone, as in fe80::1%eth0, means something on one machine only, and nothing in a URL.
      const isAddress = !host.includes('%') && isIP(host) !== 0;
      // Where names are limited, an address may not stand in the place of one.
      if (isAddress && endings.length > 0 && !allowed) return nameFault;
      return isAddress ? addressFaultOf(host) : nameFaultOf(host);
    },
  };
}

/** Anywhere where a service can be. */
export const anyHost = createInstanceHosts();

/** Numbers such as 2852039166 or 0x7f.1 look like names, and are read as addresses. */
function isCanonicalName(host: string): boolean {
  const url = `http://${host}/`;
  const isName = hostName.test(host) && host.length <= maxHostLength && URL.canParse(url);
  return isName && new URL(url).hostname === host.toLowerCase();
}

/** @param networks addresses with the length of their prefix, or without for one address */
function blockListOf(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address = '', prefix] = network.split('/');
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    if (prefix === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(prefix), family);
  }
  return list;
}
