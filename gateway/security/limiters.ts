import type { Redis } from 'ioredis';
import {
  type RateLimiterAbstract,
  RateLimiterMemory,
  RateLimiterRedis,
  RateLimiterRes,
} from 'rate-limiter-flexible';

/** Creates what counts points of keys by the minute. @returns undefined for a limit of 0, which is none */
export type CreateLimiter = (name: string, perMinute: number) => RateLimiterAbstract | undefined;

const windowSeconds = 60;

/**
 * Makes limiters whose counts are in Redis, so that all gateways share them, or else in this process. While Redis does not
 * answer, each gateway counts for itself.
 */
export function createLimiters(redis: Redis | undefined): CreateLimiter {
  return (name, points) => {
    if (points === 0) return undefined;
    const memory = new RateLimiterMemory({ points, duration: windowSeconds });
    if (!redis) return memory;
    return new RateLimiterRedis({
      storeClient: redis,
      keyPrefix: `portico:rate-limit:${name}`,
      points,
      duration: windowSeconds,
      insuranceLimiter: memory,
    });
  };
}

/** Consumes points. @returns the state of the key, also when it has more than it may */
export async function consume(
  limiter: RateLimiterAbstract,
  key: string,
  points = 1,
): Promise<RateLimiterRes> {
  try {
    return await limiter.consume(key, points);
  } catch (rejected) {
    if (rejected instanceof RateLimiterRes) return rejected;
    throw rejected;
  }
}
