import { join } from 'node:path';
import * as z from 'zod';
import { flag, loadConfig, port, wholeNumber } from '../platform/config.ts';
import { defaults } from './options.ts';

const defaultDataDir = join(import.meta.dirname, '..', '.portico', 'kafka');

const settings = z.object({
  KAFKA_HOST: z.string().default(defaults.host).describe('Address to listen on.'),
  KAFKA_PORT: port(9092).describe('Port to listen on; 0 takes a free one.'),
  KAFKA_ADVERTISED_HOST: z.string().optional().describe('Host that clients are told to connect to.'),
  KAFKA_ADVERTISED_PORT: port(0).describe('Port that clients are told to connect to; 0 tells KAFKA_PORT.'),
  KAFKA_DATA_DIR: z.string().default(defaultDataDir).describe('Where records and offsets are kept.'),
  KAFKA_RETENTION_BYTES: wholeNumber(defaults.retentionBytes).describe('What each partition keeps.'),
  KAFKA_FSYNC_EACH_PRODUCE: flag(defaults.fsyncEachProduce).describe(
    'Whether each produce waits for the disk.',
  ),
  KAFKA_MIN_SESSION_TIMEOUT_MS: wholeNumber(defaults.minSessionTimeoutMs).describe(
    'Shortest session timeout of a group member.',
  ),
});

/** Reads the broker's settings. @throws ConfigError when any is invalid */
export function loadBrokerConfig(env: Record<string, string | undefined>) {
  return loadConfig(settings, env);
}
