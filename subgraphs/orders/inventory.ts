import { PorticoError } from '../../platform/errors.ts';
import { BreakerOpenError } from '../../platform/resilience/circuit-breaker.ts';
import { isServiceFailure, type ServiceClient } from '../../platform/service-client.ts';

/** A product that is not in stock as often as was asked for. */
export interface Shortage {
  readonly sku: string;
  readonly requested: number;
  readonly available: number;
}

/** What came of asking inventory for an order's stock. */
export type ReserveOutcome =
  | { readonly kind: 'reserved' }
  | { readonly kind: 'shortage'; readonly shortages: readonly Shortage[] }
  | {
      readonly kind: 'unavailable';
      readonly message: string;
      readonly retryAfterSeconds: number;
      /** Whether inventory may have reserved the stock all the same. */
      readonly maybeReserved: boolean;
    };

/** What orders asks the inventory service, behind its circuit breaker. */
export interface Inventory {
  /** Reserves all lines for the order, or none. The same order again changes nothing. */
  reserve(orderId: string, lines: readonly { sku: string; quantity: number }[]): Promise<ReserveOutcome>;
}

const operation = `mutation Reserve($orderId: ID!, $lines: [ReservationLineInput!]!) {
  reserve(orderId: $orderId, lines: $lines) { reserved shortages { sku requested available } }
}`;

/** What a client is asked to wait when the breaker has nothing to say about it. */
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
        if (!isServiceFailure(error)) throw error;
        return {
          kind: 'unavailable',
          message:
            error instanceof PorticoError ? error.message : 'The stock could not be asked; please try again',
          retryAfterSeconds:
            error instanceof BreakerOpenError ? error.retryAfterSeconds : defaultRetryAfterSeconds,
          maybeReserved: !(error instanceof BreakerOpenError),
        };
      }
    },
  };
}
