import { PorticoError } from '../../platform/errors.ts';
import { BreakerOpenError } from '../../platform/resilience/circuit-breaker.ts';
import { isServiceFailure, type ServiceClient } from '../../platform/service-client.ts';

/** A product that is not in stock as often as was asked for. */
export interface Shortage {
  readonly sku: string;
  readonly requested: number;
  readonly available: number;
}

/** Outcome of asking inventory for an order's stock. */
export type ReserveOutcome =
  | { readonly kind: 'reserved' }
  | { readonly kind: 'shortage'; readonly shortages: readonly Shortage[] }
  | {
      readonly kind: 'unavailable';
      readonly message: string;
      readonly retryAfterSeconds: number;
    };

/** Answer to a client whose order was given up while its stock was being reserved. */
export const givenUp = {
  kind: 'unavailable',
  message: 'The order took too long and was given up; please place it again',
  retryAfterSeconds: 1,
} as const satisfies ReserveOutcome;

/** Requests of orders to the inventory service, behind its circuit breaker. */
export interface Inventory {
  /**
   * Reserves all lines for the order, or none. The same order again changes nothing. After any outcome but
   * `reserved`, another request for the same order may all the same have reserved its stock, or still will.
   */
  reserve(orderId: string, lines: readonly { sku: string; quantity: number }[]): Promise<ReserveOutcome>;
}

const operation = `mutation Reserve($orderId: ID!, $lines: [ReservationLineInput!]!) {
  reserve(orderId: $orderId, lines: $lines) { reserved shortages { sku requested available } }
}`;

/** Time that a client is asked to wait when the breaker does not say, in s. */
const defaultRetryAfterSeconds = 1;

/** Makes inventory over a client of that service. */
export function createInventory(client: ServiceClient): Inventory {
  return {
    async reserve(orderId, lines) {
      try {
        const { reserve } = await client.run<{ reserve: { reserved: boolean; shortages: Shortage[] } }>(
          operation,
          {
            orderId,
            lines: lines.map(({ sku, quantity }) => ({ sku, quantity })),
          },
        );
        return reserve.reserved ? { kind: 'reserved' } : { kind: 'shortage', shortages: reserve.shortages };
      } catch (error) {
        if (error instanceof PorticoError && error.code === 'CONFLICT') return givenUp;
        if (!isServiceFailure(error)) throw error;
        return {
          kind: 'unavailable',
          message:
            error instanceof PorticoError ? error.message : 'The stock could not be asked; please try again',
          retryAfterSeconds:
            error instanceof BreakerOpenError ? error.retryAfterSeconds : defaultRetryAfterSeconds,
        };
      }
    },
  };
}
