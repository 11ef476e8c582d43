/** Something that must never be, with what it happened to. */
export interface Violation {
  /** Which of the guarantees of docs/guarantees.md is broken. */
  readonly guarantee: 'stock' | 'orders' | 'events' | 'messages';
  /** Something is missing, is there more than once, waits for ever, or is not as it must be. */
  readonly kind: 'lost' | 'duplicated' | 'stuck' | 'wrong';
  /** The order's id, the sku, the key or the message. */
  readonly subject: string;
  readonly what: string;
}
