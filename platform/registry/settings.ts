import * as z from 'zod';
import { commaSeparated, wholeNumber } from '../config.ts';

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
});
