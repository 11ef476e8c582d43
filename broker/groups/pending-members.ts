import { randomUUID } from 'node:crypto';

/** Longest client id that its members' ids begin with, in characters: an id has to fit into a STRING. */
const maxPrefixLength = 255;

/**
 * Member ids that clients were given and have not joined with yet. A client whose connection breaks before it learns its
 * id leaves no member behind.
 *
 * @see https://cwiki.apache.org/confluence/x/ExT0BQ KIP-394
 */
export class PendingMembers {
  readonly #timerById = new Map<string, NodeJS.Timeout>();

  get size(): number {
    return this.#timerById.size;
  }

  /** Gives out an id, which lapses unless it is taken within `lapsesInMs`. */
  give(clientId: string, lapsesInMs: number, onLapsed: () => void): string {
    const prefix = clientId.length > maxPrefixLength ? 'client' : clientId;
    const memberId = `${prefix}-${randomUUID()}`;
    const lapse = () => {
      this.#timerById.delete(memberId);
      onLapsed();
    };
    this.#timerById.set(memberId, setTimeout(lapse, lapsesInMs));
    return memberId;
  }

  /** Removes an id. @returns whether it was pending */
  take(memberId: string): boolean {
    clearTimeout(this.#timerById.get(memberId));
    return this.#timerById.delete(memberId);
  }

  /** Removes all ids. */
  clear(): void {
    for (const memberId of this.#timerById.keys()) this.take(memberId);
  }
}
