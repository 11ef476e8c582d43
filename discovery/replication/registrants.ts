import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { RenewalSource } from '../registry/lease.ts';

/**
 * Finds the address that the instances of a request count for; undefined when another registry passes them on, which counts
 * them itself. Anybody can say that they are a registry: only those at the addresses of the peers are believed.
 */
export type RegistrantOf = (
  remoteAddress: string | undefined,
  source: RenewalSource,
) => Promise<string | undefined>;

type Resolve = (host: string) => Promise<readonly { readonly address: string }[]>;

/** Time for which the addresses of the peers are taken as known, in ms. */
const refreshMs = 1_000;

/**
 * Creates the function.
 *
 * @param peers base addresses of the other registries
 * @param resolve looks the addresses of a host up @default the system's look-up
 */
export function createRegistrants(
  peers: readonly string[],
  resolve: Resolve = host => lookup(host, { all: true }),
): RegistrantOf {
  const hosts = [...new Set(peers.map(url => new URL(url).hostname.replace(/^\[|\]$/g, '')))];
  let known: { readonly atMs: number; readonly addresses: Promise<ReadonlySet<string>> } | undefined;

  async function resolveAll(): Promise<ReadonlySet<string>> {
    // A peer that can't be found now is not there to pass anything on.
    const found = await Promise.all(hosts.map(host => resolve(host).catch(() => [])));
    return new Set(found.flat().map(({ address }) => withoutMapping(address)));
  }

  async function isPeer(address: string): Promise<boolean> {
    if (hosts.length === 0) return false;
    if (known && (await known.addresses).has(address)) return true;
    // A peer may have come back under another address.
    const nowMs = performance.now();
    if (!known || nowMs - known.atMs > refreshMs) known = { atMs: nowMs, addresses: resolveAll() };
    return (await known.addresses).has(address);
  }

  return async (remoteAddress = '', { by }) => {
    const address = withoutMapping(remoteAddress);
    if (by === 'peer' && (await isPeer(address))) return undefined;
    return isIP(address) === 6 ? networkOf(address) : address;
  };
}

/** An IPv4 address as a socket of both versions has it: `::ffff:10.0.0.1`. */
function withoutMapping(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, '');
}

/** The network of /64 that one host has for itself. */
function networkOf(address: string): string {
  const [start = '', end] = address.replace(/%.*$/, '').split('::');
  const [before, after] = [start, end ?? ''].map(part => part.split(':').filter(Boolean)) as [
    string[],
    string[],
  ];
  const zeros = Array.from({ length: end === undefined ? 0 : 8 - before.length - after.length }, () => '0');
  const groups = [...before, ...zeros, ...after]
    .slice(0, 4)
    .map(group => Number.parseInt(group, 16).toString(16));
  return `${groups.join(':')}::/64`;
}
