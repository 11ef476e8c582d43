import { BlockList, isIP } from 'node:net';

const maxHostLength = 253;
const label = '[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?';
const hostName = new RegExp(`^${label}(?:\\.${label})*\\.?$`, 'i');

/**
 * Addresses at which no service can be: unspecified, link-local (where clouds serve machine credentials), multicast,
 * reserved. A caller of a registered instance must not be led there.
 */
const unreachable = new BlockList();
unreachable.addSubnet('0.0.0.0', 8);
unreachable.addSubnet('169.254.0.0', 16);
unreachable.addSubnet('224.0.0.0', 3);
unreachable.addAddress('::', 'ipv6');
unreachable.addSubnet('fe80::', 10, 'ipv6');
unreachable.addSubnet('ff00::', 8, 'ipv6');

/**
 * Checks the host of an instance: a name or an IP address, written so that every URL parser reads the same in it.
 *
 * @returns what was expected in its place; undefined when the host is good
 */
export function hostFaultOf(host: string): string | undefined {
  // A zone, as in fe80::1%eth0, means something on one machine only, and nothing in a URL.
  const version = host.includes('%') ? 0 : isIP(host);
  if (version === 0) return isCanonicalName(host) ? undefined : 'a host name or an IP address';
  return unreachable.check(host, version === 6 ? 'ipv6' : 'ipv4')
    ? 'an address where a service can be'
    : undefined;
}

/** Numbers such as 2852039166 or 0x7f.1 look like names, and are read as addresses. */
function isCanonicalName(host: string): boolean {
  const url = `http://${host}/`;
  const isName = hostName.test(host) && host.length <= maxHostLength && URL.canParse(url);
  return isName && new URL(url).hostname === host.toLowerCase();
}
