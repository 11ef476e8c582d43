import type { IncomingMessage } from 'node:http';
import proxyAddr from '@fastify/proxy-addr';
import { Counter, type Registry } from 'prom-client';
import type { RateLimiterAbstract } from 'rate-limiter-flexible';
import type { GatewayConfig } from '../config.ts';
import { GatewayError } from '../gateway-error.ts';
import { type CreateLimiter, consume } from './limiters.ts';
import type { OperationCaller } from './operation-caller.ts';

/** Party whose operations are counted: a caller with a token, or an address without one. */
export interface CountedParty {
  readonly caller: OperationCaller;
  readonly address: string;
}

/** Counts the operations that were refused, by the party and what it had too much of. */
export type RateLimitedCounter = Counter<'by'>;

/** Limits how many operations each caller and each address may send. */
export interface RateLimit {
  /** False when nothing is counted. */
  readonly isActive: boolean;
  /** The address of a client, behind the proxies that are trusted. */
  addressOf(request: IncomingMessage): string;
  /**
   * Counts an operation.
   *
   * @returns headers that tell of the allowance, https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/
   * @throws GatewayError RATE_LIMITED, with the seconds to wait in its details, when there were too many
   */
  count(party: CountedParty): Promise<Readonly<Record<string, string>>>;
}

type RateLimitConfig = Pick<
  GatewayConfig,
  'RATE_LIMIT_CALLER_PER_MINUTE' | 'RATE_LIMIT_ADDRESS_PER_MINUTE' | 'GATEWAY_TRUSTED_PROXIES'
>;

const noHeaders = Promise.resolve({});

/** Creates the counter of the operations that limits by the minute have refused. */
export function countRateLimited(metrics: Registry): RateLimitedCounter {
  return new Counter({
    name: 'gateway_operations_rate_limited_total',
    help: 'Operations that were refused because their caller or address sent too many, or spent too much.',
    labelNames: ['by'],
    registers: [metrics],
  });
}

/** What counts a party, and the party's key there. */
export interface PartyLimiter {
  readonly by: 'caller' | 'address';
  readonly limiter: RateLimiterAbstract;
  readonly key: string;
}

/**
 * Makes limiters of callers, and of addresses without a caller.
 *
 * @param suffix of the limiters' names
 * @returns finds what counts a party; undefined when neither has a limit
 */
export function limitParties(
  createLimiter: CreateLimiter,
  perMinute: { readonly caller: number; readonly address: number },
  suffix = '',
): ((party: CountedParty) => PartyLimiter | undefined) | undefined {
  const byCaller = createLimiter(`caller${suffix}`, perMinute.caller);
  const byAddress = createLimiter(`address${suffix}`, perMinute.address);
  if (!byCaller && !byAddress) return undefined;
  return ({ caller: { caller }, address }) => {
    if (caller) return byCaller && { by: 'caller', limiter: byCaller, key: caller.id };
    return byAddress && { by: 'address', limiter: byAddress, key: address };
  };
}

/** Creates the limit; without settings, it counts nothing. */
export function createRateLimit(
  config: RateLimitConfig,
  createLimiter: CreateLimiter,
  refused: RateLimitedCounter,
): RateLimit {
  const limiterOf = limitParties(createLimiter, {
    caller: config.RATE_LIMIT_CALLER_PER_MINUTE,
    address: config.RATE_LIMIT_ADDRESS_PER_MINUTE,
  });
  const isTrusted = proxyAddr.compile([...config.GATEWAY_TRUSTED_PROXIES]);

  async function count({ by, limiter, key }: PartyLimiter) {
    const outcome = await consume(limiter, key);
    const resetSeconds = Math.ceil(outcome.msBeforeNext / 1_000);
    if (outcome.consumedPoints > limiter.points) {
      refused.inc({ by });
      throw new GatewayError(
        'RATE_LIMITED',
        `This ${by} may send ${limiter.points} operations a minute; try again in ${resetSeconds} s`,
        { details: { retryAfterSeconds: resetSeconds } },
      );
    }
    return {
      'ratelimit-limit': String(limiter.points),
      'ratelimit-remaining': String(outcome.remainingPoints),
      'ratelimit-reset': String(resetSeconds),
    };
  }

  return {
    isActive: limiterOf !== undefined,
    addressOf: request => proxyAddr(request, isTrusted),
    count(party) {
      const counted = limiterOf?.(party);
      return counted ? count(counted) : noHeaders;
    },
  };
}
