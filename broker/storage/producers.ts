import { ErrorCode } from '../errors.ts';
import type { BatchHeader } from './record-batch.ts';

/** Verdict on a batch, by its producer's id, epoch and sequence number. */
export type SequenceCheck =
  | { kind: 'append' }
  | { kind: 'duplicate'; baseOffset: number }
  | { kind: 'refuse'; error: ErrorCode };

interface WrittenBatch {
  baseSequence: number;
  lastSequence: number;
  baseOffset: number;
}

interface Producer {
  epoch: number;
  /** The last ones, oldest first. */
  batches: WrittenBatch[];
}

/** Most batches of a producer that may be under way at once, which is how far back a retry can reach. */
const maxInFlightBatches = 5;
/** Producers that a partition remembers; beyond them the one that was silent for longest is forgotten. */
const maxProducers = 10_000;
/** After 2^31 - 1 a sequence number begins again at 0. */
const sequenceNumbers = 2 ** 31;

/**
 * The idempotent producers of a partition. They are rebuilt from the log's batch headers at start, and so
 * recognises a retry across a restart too.
 *
 * @see https://cwiki.apache.org/confluence/x/YQS9Aw KIP-98
 */
export class Producers {
  readonly #byId = new Map<number, Producer>();

  /** Tells a batch that comes next from one that was written already and from one before which another is missing. */
  check(batch: BatchHeader): SequenceCheck {
    const known = this.#byId.get(batch.producerId);
    // As in Apache Kafka, a producer that the log holds nothing of any more may go on where it was.
    if (batch.producerId < 0 || known === undefined) return { kind: 'append' };
    if (batch.producerEpoch < known.epoch) return { kind: 'refuse', error: ErrorCode.INVALID_PRODUCER_EPOCH };
    const isNewEpoch = batch.producerEpoch > known.epoch;
    const written = known.batches.find(
      ({ baseSequence, lastSequence }) =>
        baseSequence === batch.baseSequence && lastSequence === lastSequenceOf(batch),
    );
    if (written && !isNewEpoch) return { kind: 'duplicate', baseOffset: written.baseOffset };
    const last = known.batches.at(-1)?.lastSequence ?? -1;
    const expected = isNewEpoch ? 0 : (last + 1) % sequenceNumbers;
    if (batch.baseSequence === expected) return { kind: 'append' };
    return { kind: 'refuse', error: ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER };
  }

  /** Remembers a batch that was written at `baseOffset`. */
  record(batch: BatchHeader, baseOffset: number): void {
    if (batch.producerId < 0) return;
    const known = this.#byId.get(batch.producerId);
    const earlier = known?.epoch === batch.producerEpoch ? known.batches : [];
    const written = { baseSequence: batch.baseSequence, lastSequence: lastSequenceOf(batch), baseOffset };
    // Deleted first, so that the map's order is that of the last write.
    this.#byId.delete(batch.producerId);
    this.#byId.set(batch.producerId, {
      epoch: batch.producerEpoch,
      batches: [...earlier, written].slice(-maxInFlightBatches),
    });
    const [oldest] = this.#byId.keys();
    if (this.#byId.size > maxProducers && oldest !== undefined) this.#byId.delete(oldest);
  }
}

function lastSequenceOf({ baseSequence, offsetCount }: BatchHeader): number {
  return (baseSequence + offsetCount - 1) % sequenceNumbers;
}
