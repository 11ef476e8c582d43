/** A line of an order. */
export interface Line {
  readonly sku: string;
  readonly quantity: number;
}

/** Requests of a client with one idempotency key, and their answers. */
export interface OrderRecord {
  readonly customer: string;
  readonly key: string;
  readonly lines: readonly Line[];
  /** Ids of the orders that it was told were placed: one at most, when all is well. */
  readonly placedIds: Set<string>;
  /** Why nothing was ordered, each time that it was told so: `OutOfStock`, `InventoryUnavailable`, or an error code. */
  readonly refusals: string[];
  /** Requests that ended without an answer that says what became of the order. */
  unknown: number;
  /** True if it asked to cancel the order, and was told that it is cancelled. */
  cancel: 'not asked' | 'asked' | 'cancelled';
  /** True if an order of other lines was taken under the same key. */
  reusedForOther: boolean;
}

/** A restocking that an admin asked for. */
export interface RestockRecord extends Line {
  readonly key: string;
  acknowledged: boolean;
}

/** An event that no consumer can handle, put on the topic on purpose. */
export interface PoisonRecord {
  readonly eventId: string;
  acknowledged: boolean;
}

/** Something that came to a customer who listens. */
export interface HeardRecord {
  readonly customer: string;
  readonly kind: string;
  readonly orderId: string;
}

/** All that the clients did and were told: what the system has to keep to. */
export interface Ledger {
  /** Pieces available of each sku before the first order. */
  readonly initialStock: ReadonlyMap<string, number>;
  readonly orders: OrderRecord[];
  readonly restocks: RestockRecord[];
  readonly poison: PoisonRecord[];
  readonly heard: HeardRecord[];
  /** Times that those who listen were connected. */
  listenerConnections: number;
}

/** Begins a ledger. */
export function createLedger(initialStock: ReadonlyMap<string, number>): Ledger {
  return { initialStock, orders: [], restocks: [], poison: [], heard: [], listenerConnections: 0 };
}
