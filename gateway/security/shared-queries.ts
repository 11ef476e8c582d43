import type { ApolloServerOptions } from '@apollo/server';
import type { Redis } from 'ioredis';

/** Cache of automatic persisted queries, as Apollo Server takes it. */
type QueryCache = NonNullable<Exclude<ApolloServerOptions<object>['persistedQueries'], false>>['cache'];

/** Time for which a query is kept that nobody sends, in seconds. */
const lifetimeSeconds = 86_400;
/** Longest query that is kept, in characters: anybody may bring some. */
const maxLength = 32_768;
const prefix = 'portico:';

/**
 * Keeps automatic persisted queries in Redis, so that all gateways know what a client has sent to one of them. Without Redis
 * a query is not found, and its client sends the text again.
 */
export function createSharedQueries(redis: Redis): QueryCache {
  return {
    async get(key) {
      const text = await redis.get(prefix + key).catch(() => null);
      return text ?? undefined;
    },
    async set(key, text) {
      if (text.length > maxLength) return;
      await redis.set(prefix + key, text, 'EX', lifetimeSeconds).catch(() => {});
    },
    async delete(key) {
      await redis.del(prefix + key).catch(() => {});
    },
  };
}
