import { lookup } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { anyHost, type InstanceHosts } from './host.ts';

/** A host name leads to addresses only where no instance may be; it is not connected to. */
export class RefusedAddressError extends Error {
  override readonly name = 'RefusedAddressError';
  readonly code = 'ERR_ADDRESS_REFUSED';

  constructor(host: string, addresses: readonly string[], expected: string) {
    super(`${host} is not connected to: it leads to ${addresses.join(', ')}, and not to ${expected}`);
  }
}

/**
 * Makes the look-up of hosts for connections to instances: each time, what a name leads to now must be where instances may be.
 * An address in the place of a name is not looked up; it was checked when the registration was read.
 *
 * @param resolve looks a host up @default the system's look-up
 */
export function createInstanceLookup(hosts: InstanceHosts, resolve: LookupFunction = lookup): LookupFunction {
  return (host, options, callback) => {
    resolve(host, { ...options, all: true }, (error, found, family) => {
      if (error) return callback(error, []);
      const all = typeof found === 'string' ? [{ address: found, family: family ?? isIP(found) }] : found;
      const good = all.filter(({ address }) => hosts.addressFaultOf(address) === undefined);
      const [first] = good;
      if (first) return options.all ? callback(null, good) : callback(null, first.address, first.family);
      const addresses = all.map(({ address }) => address);
      const expected = hosts.addressFaultOf(addresses[0] ?? '0.0.0.0') ?? 'an address';
      callback(new RefusedAddressError(host, addresses, expected), []);
    });
  };
}

/** Look-up of hosts anywhere where a service can be. */
export const lookupAnyHost = createInstanceLookup(anyHost);
