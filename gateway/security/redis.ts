import { Redis } from 'ioredis';
import type { Closable } from '../../platform/lifecycle.ts';
import type { Logger } from '../../platform/log.ts';

/** Longest time of one command, in ms. Each is on the way of a request. */
const commandTimeoutMs = 500;
const connectTimeoutMs = 2_000;
const maxReconnectDelayMs = 5_000;

/** Redis that several gateways share. */
export interface SharedRedis extends Closable {
  readonly client: Redis;
  readonly isReady: boolean;
}

/**
 * Connects to Redis, and again whenever the connection is lost. Meanwhile commands fail at once, so that their callers go on
 * without.
 */
export function openRedis(url: string, log: Logger): SharedRedis {
  const client = new Redis(url, {
    connectTimeout: connectTimeoutMs,
    commandTimeout: commandTimeoutMs,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    retryStrategy: attempts => Math.min(100 * 2 ** attempts, maxReconnectDelayMs),
  });
  let isAway = false;
  client.on('error', (error: Error) => {
    if (!isAway) log.warn({ err: error }, 'Redis does not answer: this gateway counts for itself meanwhile');
    isAway = true;
  });
  client.on('ready', () => {
    if (isAway) log.info('Redis answers again');
    isAway = false;
  });
  return {
    client,
    get isReady() {
      return client.status === 'ready';
    },
    close: () => {
      client.disconnect();
      return Promise.resolve();
    },
  };
}
