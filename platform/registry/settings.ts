import { isIP } from 'node:net';
import * as z from 'zod';
import { commaSeparated, wholeNumber } from '../config.ts';

const network = z.string().refine(isNetwork, {
  error: issue =>
    `expected an IP address or a network such as 10.0.0.0/8 or fd00::/8, but got ${String(issue.input)}`,
});

function isNetwork(text: string): boolean {
  const [address = '', prefix, ...more] = text.split('/');
  const version = isIP(address);
  if (version === 0 || address.includes('%') || more.length > 0) return false;
  return prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= (version === 6 ? 128 : 32));
}

/** Settings of where instances may be. */
export const instanceHostSettings = z.object({
  SUBGRAPH_NETWORKS: commaSeparated([])
    .pipe(z.array(network))
    .describe(
      'Networks and addresses where instances may be, comma-separated, as 10.0.0.0/8; also what a host name leads to must be there. Without it, everywhere but at link-local, multicast, unspecified and reserved addresses, and where clouds serve credentials; there they may never be.',
    ),
  SUBGRAPH_HOST_SUFFIXES: commaSeparated([]).describe(
    "Endings of the host names of instances, comma-separated, as svc.cluster.local; an instance that registers an address in a name's place is refused then, unless SUBGRAPH_NETWORKS has it.",
  ),
});

/** Settings of a process that registers, and that reads the registry. */
export const registrySettings = z.object({
  EUREKA_URL: commaSeparated(['http://127.0.0.1:8761/eureka']).describe(
    'Base addresses of the registries, comma-separated; credentials in one are sent as basic auth.',
  ),
  DISCOVERY_TOKEN: z.string().optional().describe('Bearer token that the registry expects, if it does.'),
  LEASE_RENEWAL_INTERVAL_SECONDS: wholeNumber(5, { min: 1, max: 300 }).describe(
    'Time between two renewals of the lease in the registry.',
  ),
  LEASE_DURATION_SECONDS: wholeNumber(15, { min: 2, max: 900 }).describe(
    'Time without a renewal after which the registry takes the instance out.',
  ),
  INSTANCE_ZONE: z
    .string()
    .regex(/^[\w.-]{1,63}$/, {
      error: issue =>
        `expected up to 63 letters, digits, dots, dashes and underscores, but got ${String(issue.input)}`,
    })
    .optional()
    .describe(
      "Zone that the process runs in, such as eu-central-1a; it is registered as the metadata 'zone', as Eureka's clients read it. Of instances with equally much to do, one of the same zone is asked.",
    ),
  ...instanceHostSettings.shape,
});
