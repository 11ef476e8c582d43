import { randomUUID } from 'node:crypto';

/**
 * The member ids that a group gave out to clients which have yet to join with them. A client that never learns its id,
 * because its connection broke, so leaves no member behind.
 *
 * @see https://cwiki.apache.org/confluence/x/ExT0BQ KIP-394
 */
export class Invitations {
  readonly #timerById = new Map<string, NodeJS.Timeout>();

  get size(): number {
    return this.#timerById.size;
  }

  /** Gives out an id. Unless it is taken within `lapsesInMs`, it lapses. */
  give(clientId: string, lapsesInMs: number, onLapsed: () => void): string {
    const memberId = `${clientId}-${randomUUID()}`;
    const lapse = () => {
      this.#timerById.delete(memberId);
      onLapsed();
    };
    this.#timerById.set(memberId, setTimeout(lapse, lapsesInMs));
    return memberId;
  }

  /** Ends an invitation. @returns whether there was one */
  take(memberId: string): boolean {
    clearTimeout(this.#timerById.get(memberId));
    return this.#timerById.delete(memberId);
  }

  /** Ends them all. */
  clear(): void {
    for (const memberId of this.#timerById.keys()) this.take(memberId);
  }
}
