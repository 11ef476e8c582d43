import type { ServerResponse } from 'node:http';
import { Counter, Gauge, type Registry } from 'prom-client';
import type { HealthRegistry } from '../platform/health.ts';

/** How long the gateway says that it is not ready after it has refused a request, in ms. */
const notReadyMs = 2_000;

/** Bounds the requests under way, so that more of them than can be served keep nobody waiting. */
export interface RequestLimit {
  /** Takes a request in, until its response ends. False when there are too many. */
  enter(response: ServerResponse): boolean;
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
    enter(response) {
      if (underWay >= maxConcurrent) {
        refusedAtMs = performance.now();
        refused.inc();
        return false;
      }
      underWay += 1;
      response.once('close', () => {
        underWay -= 1;
      });
      return true;
    },
  };
}
