import type { FastifyInstance } from 'fastify';
import * as z from 'zod';
import { PorticoError } from '../errors.ts';
import type { BreakerRegistry } from './breaker-registry.ts';
import type { Breaker } from './circuit-breaker.ts';

const update = z.object({ updateState: z.enum(['FORCE_OPEN', 'CLOSE', 'DISABLE']) });

/**
 * Adds `GET /actuator/circuitbreakers`, and `POST /actuator/circuitbreakers/{name}` with
 * `{"updateState":"FORCE_OPEN"|"CLOSE"|"DISABLE"}`, as resilience4j has them: an operator's hand on the breakers.
 *
 * @see https://resilience4j.readme.io/docs/getting-started-3
 */
export function serveBreakers(management: FastifyInstance, breakers: BreakerRegistry): void {
  management.get('/actuator/circuitbreakers', (_request, reply) =>
    reply.send({
      circuitBreakers: Object.fromEntries(breakers.all.map(breaker => [breaker.name, describe(breaker)])),
    }),
  );
  management.post<{ Params: { name: string } }>('/actuator/circuitbreakers/:name', (request, reply) => {
    const { name } = request.params;
    const breaker = breakers.get(name);
    if (!breaker)
      throw new PorticoError(
        'NOT_FOUND',
        `Expected one of ${breakers.all.map(each => each.name).join(', ')}, but got '${name.slice(0, 80)}'`,
      );
    const parsed = update.safeParse(request.body);
    if (!parsed.success) throw new PorticoError('BAD_USER_INPUT', z.prettifyError(parsed.error));
    breaker.force(parsed.data.updateState);
    request.log.warn({ breaker: name, ...parsed.data }, `An operator set the circuit breaker of ${name}`);
    return reply.send({ circuitBreakerName: name, currentState: breaker.state });
  });
}

function describe({ state, settings, stats }: Breaker) {
  const { calls, failures, slow, slowFailures, rejected } = stats;
  return {
    state,
    failureRate: rateOf(failures, calls, settings.minimumCalls),
    failureRateThreshold: `${settings.failureRatePercent}%`,
    slowCallRate: rateOf(slow, calls, settings.minimumCalls),
    slowCallRateThreshold: `${settings.slowCallRatePercent}%`,
    bufferedCalls: calls,
    failedCalls: failures,
    slowCalls: slow,
    slowFailedCalls: slowFailures,
    notPermittedCalls: rejected,
  };
}

/** A rate as resilience4j writes it: -1 until there are enough calls. */
function rateOf(part: number, calls: number, minimumCalls: number): string {
  return `${(calls < minimumCalls ? -1 : (part / calls) * 100).toFixed(1)}%`;
}
