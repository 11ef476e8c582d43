import { Counter, Gauge, type Registry } from 'prom-client';
import type { PorticoError } from '../platform/errors.ts';
import type { HealthRegistry } from '../platform/health.ts';
import { GatewayError } from './gateway-error.ts';

/** Time that the gateway says that it is not ready after it has refused a request, in ms. */
const notReadyMs = 2_000;

/** Bounds the requests under way, so that more of them than can be served keep nobody waiting. */
export interface RequestLimit {
  /** Takes a request in. @returns what takes it out again; undefined when there are too many */
  enter(): (() => void) | undefined;
}

/** Makes the limit; readiness fails while requests are refused, so that a load balancer sends them elsewhere. */
export function limitRequests(
  maxConcurrent: number,
  health: HealthRegistry,
  metrics: Registry,
): RequestLimit {
  let underWay = 0;
  let refusedAtMs = Number.NEGATIVE_INFINITY;
  new Gauge({
    name: 'gateway_requests_under_way',
    help: 'Requests to /graphql that are not answered yet.',
    registers: [metrics],
    collect() {
      this.set(underWay);
    },
  });
  const refused = new Counter({
    name: 'gateway_requests_refused_total',
    help: 'Requests to /graphql answered with 503 because there were too many.',
    registers: [metrics],
  });
  health.add('load', () => ({
    status: performance.now() - refusedAtMs < notReadyMs ? 'OUT_OF_SERVICE' : 'UP',
    details: { underWay, maxConcurrent },
  }));
  return {
    enter() {
      if (underWay >= maxConcurrent) {
        refusedAtMs = performance.now();
        refused.inc();
        return undefined;
      }
      underWay += 1;
      return () => {
        underWay -= 1;
      };
    },
  };
}

/** Error of a request that is one too many. */
export function overloaded(): PorticoError {
  return new GatewayError('OVERLOADED', 'The gateway has as many requests as it takes; try again');
}
