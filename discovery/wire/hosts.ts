import { BlockList, isIP } from 'node:net';
import { refuse } from './fields.ts';

const maxHostLength = 253;
const label = '[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?';
const hostName = new RegExp(`^${label}(?:\\.${label})*\\.?$`, 'i');

/**
 * Addresses that are no service of anybody's: unspecified, link-local (where clouds serve machine credentials),
 * multicast, reserved. A caller of a registered instance must not be led there.
 */
const unreachable = new BlockList();
unreachable.addSubnet('0.0.0.0', 8);
unreachable.addSubnet('169.254.0.0', 16);
unreachable.addSubnet('224.0.0.0', 3);
unreachable.addAddress('::', 'ipv6');
unreachable.addSubnet('fe80::', 10, 'ipv6');
unreachable.addSubnet('ff00::', 8, 'ipv6');

/**
 * Accepts a host name or an IP address, written so that every URL parser reads the same thing in it.
 *
 * @throws PorticoError BAD_USER_INPUT when it is anything else, or an address where no service can be
 */
export function checkHost(host: string, field: string): string {
  // A zone, as in fe80::1%eth0, means something on one machine only, and nothing in a URL.
  const version = host.includes('%') ? 0 : isIP(host);
  if (version === 0) checkHostName(host, field);
  else if (unreachable.check(host, version === 6 ? 'ipv6' : 'ipv4')) {
    refuse(field, 'an address where a service can be', host);
  }
  return host;
}

function checkHostName(host: string, field: string): void {
  const url = `http://${host}/`;
  const canonical = hostName.test(host) && host.length <= maxHostLength && URL.canParse(url);
  // Numbers such as 2852039166 or 0x7f.1 look like names, and are read as addresses.
  if (!canonical || new URL(url).hostname !== host.toLowerCase()) {
    refuse(field, 'a host name or an IP address', host);
  }
}

/**
 * Accepts an absolute http or https URL without credentials.
 *
 * @throws PorticoError BAD_USER_INPUT when it is anything else
 */
export function checkUrl(text: string, field: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') refuse(field, 'an http or https URL', text);
  if (url.username || url.password) refuse(field, 'a URL without credentials', text);
  checkHost(url.hostname.replace(/^\[|\]$/g, ''), field);
  return text;
}
