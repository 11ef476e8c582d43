import type { Line } from './ledger.ts';

/** State of the databases, the topic and the graph at rest. */
export interface Evidence {
  readonly orders: readonly OrderEvidence[];
  /** Events that no relay has published. */
  readonly outbox: readonly { readonly id: string; readonly orderId: string }[];
  readonly stock: ReadonlyMap<string, number>;
  readonly reservations: readonly ReservationEvidence[];
  readonly restocks: readonly (Line & { readonly key: string | null })[];
  readonly notifications: readonly NotificationEvidence[];
  /** Events of orders on the topic, in the order of their partition. */
  readonly events: readonly EventEvidence[];
  readonly deadLetters: readonly DeadLetterEvidence[];
  /** Ids of the orders that each customer finds through the graph. */
  readonly foundByCustomer: ReadonlyMap<string, ReadonlySet<string>>;
}

/** An order in the database of orders. */
export interface OrderEvidence {
  readonly id: string;
  readonly customer: string;
  readonly key: string | null;
  readonly status: 'PENDING' | 'PLACED' | 'CANCELLED';
  /** True if it was placed, at any time. */
  readonly placed: boolean;
  readonly lines: readonly Line[];
}

/** A reservation in the database of inventory. */
export interface ReservationEvidence {
  readonly orderId: string;
  readonly status: 'RESERVED' | 'RELEASED';
  readonly lines: readonly Line[];
}

/** A notification in the database of notifications. */
export interface NotificationEvidence {
  readonly orderId: string;
  readonly customer: string;
  readonly kind: 'ORDER_PLACED' | 'ORDER_CANCELLED';
}

/** A message of the topic. */
export interface EventEvidence {
  readonly id: string;
  readonly type: string;
  readonly orderId: string;
}

/** A message of the dead-letter topic. */
export interface DeadLetterEvidence {
  readonly eventId: string;
  readonly group: string;
  readonly reason: string;
  /** Headers that a dead letter must have and this one lacks. */
  readonly missingHeaders: readonly string[];
}
