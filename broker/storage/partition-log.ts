import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ErrorCode } from '../errors.ts';
import { Producers } from './producers.ts';
import {
  type BatchHeader,
  isIntact,
  magic,
  placeAt,
  readBatchHeader,
  transactionalBits,
} from './record-batch.ts';
import { type IndexEntry, isSegmentFile, type Range, Segment } from './segment.ts';
import { createSerialQueue } from './serial-queue.ts';

/** Options of a partition's log. Sizes are in bytes. */
export interface LogOptions {
  dir: string;
  segmentBytes: number;
  /** -1 keeps everything. */
  retentionBytes: number;
  maxMessageBytes: number;
  fsyncEachProduce: boolean;
  log: (line: string) => void;
}

/** Outcome of an append: the offset of the batch, or the error of one that was refused and then -1. */
export interface AppendResult {
  error: ErrorCode;
  baseOffset: number;
}

/** The record batches of one partition, in segment files of which the newest is written and the oldest dropped. */
export class PartitionLog {
  readonly #options: LogOptions;
  readonly #producers = new Producers();
  readonly #appendListeners = new Set<() => void>();
  readonly #inTurn = createSerialQueue();
  /** Oldest first, never empty once open. */
  readonly #segments: Segment[] = [];

  private constructor(options: LogOptions) {
    this.#options = options;
  }

  /** Opens the log in `dir`, or begins one. What a sudden end left torn at its end is cut off and reported. */
  static async open(options: LogOptions): Promise<PartitionLog> {
    const log = new PartitionLog(options);
    await mkdir(options.dir, { recursive: true });
    const files = (await readdir(options.dir)).filter(isSegmentFile).sort();
    for (const file of files) await log.#recover(file, file === files.at(-1));
    if (files.length === 0) log.#segments.push(await Segment.create(options.dir, 0));
    return log;
  }

  /** The offset of the oldest record that is kept. */
  get startOffset(): number {
    return this.#segments[0]?.baseOffset ?? 0;
  }

  /** The offset that the next record gets; on a single node this is the high watermark too. */
  get endOffset(): number {
    return this.#active.nextOffset;
  }

  /** Writes one batch, unless it is invalid or was written before; in the order of the calls. */
  async append(batch: Buffer): Promise<AppendResult> {
    const header = readBatchHeader(batch);
    const error = this.#validate(batch, header);
    if (header === undefined || error !== ErrorCode.NONE) return { error, baseOffset: -1 };
    return this.#inTurn(() => this.#append(batch, header));
  }

  /**
   * Finds what can be read from `offset` on: whole batches, at most `maxBytes` unless the first alone is larger.
   * There may be more than is found, in the next segment.
   */
  find(offset: number, maxBytes: number): Range | undefined {
    return this.#segments.find(segment => segment.nextOffset > offset)?.find(offset, maxBytes);
  }

  /** Finds the first batch with a record of that time (ms since 1970) or later. */
  findTimestamp(timestamp: number): IndexEntry | undefined {
    for (const segment of this.#segments) {
      const found = segment.findTimestamp(timestamp);
      if (found) return found;
    }
    return undefined;
  }

  /** Calls `listener` after each append, and when the log is closed. @returns what ends that */
  onAppend(listener: () => void): () => void {
    this.#appendListeners.add(listener);
    return () => this.#appendListeners.delete(listener);
  }

  /** Brings everything to the disk. Appends that were under way are written before. */
  close(): Promise<void> {
    return this.#end(segment => segment.close());
  }

  /** Deletes the segments' files. */
  delete(): Promise<void> {
    return this.#end(segment => segment.delete());
  }

  get #active(): Segment {
    return this.#segments.at(-1) as Segment;
  }

  async #recover(file: string, isNewest: boolean): Promise<void> {
    const path = join(this.#options.dir, file);
    const { segment, lostBytes } = await Segment.recover(path, {
      // Older files were complete before the newest was begun; reading their records again would only take time.
      checkCrc: isNewest,
      onBatch: batch => this.#producers.record(batch, batch.baseOffset),
    });
    this.#segments.push(segment);
    if (lostBytes > 0)
      this.#options.log(
        `cut ${lostBytes} bytes that are no whole record batch off ${path} at ${segment.bytes}`,
      );
  }

  #validate(batch: Buffer, header: BatchHeader | undefined): ErrorCode {
    if (header === undefined) return ErrorCode.CORRUPT_MESSAGE;
    if (header.magic !== magic) return ErrorCode.UNSUPPORTED_FOR_MESSAGE_FORMAT;
    if (header.bytes !== batch.length) return ErrorCode.INVALID_RECORD;
    if (batch.length > this.#options.maxMessageBytes) return ErrorCode.MESSAGE_TOO_LARGE;
    if (header.attributes & transactionalBits) return ErrorCode.INVALID_RECORD;
    if (header.recordCount < 1 || header.recordCount !== header.offsetCount) return ErrorCode.INVALID_RECORD;
    if (!Number.isSafeInteger(header.maxTimestamp)) return ErrorCode.INVALID_TIMESTAMP;
    return isIntact(batch) ? ErrorCode.NONE : ErrorCode.CORRUPT_MESSAGE;
  }

  async #append(batch: Buffer, header: BatchHeader): Promise<AppendResult> {
    const check = this.#producers.check(header);
    if (check.kind === 'duplicate') return { error: ErrorCode.NONE, baseOffset: check.baseOffset };
    if (check.kind === 'refuse') return { error: check.error, baseOffset: -1 };
    if (this.#active.bytes > 0 && this.#active.bytes + batch.length > this.#options.segmentBytes)
      await this.#beginSegment();

    const baseOffset = this.endOffset;
    placeAt(batch, baseOffset);
    await this.#active.append(batch, header, this.#options.fsyncEachProduce);
    this.#producers.record(header, baseOffset);
    this.#notify();
    return { error: ErrorCode.NONE, baseOffset };
  }

  async #beginSegment(): Promise<void> {
    const { dir, retentionBytes } = this.#options;
    this.#segments.push(await Segment.create(dir, this.endOffset));
    if (retentionBytes < 0) return;
    let bytes = this.#segments.reduce((sum, segment) => sum + segment.bytes, 0);
    for (let oldest = this.#segments[0]; oldest; oldest = this.#segments[0]) {
      bytes -= oldest.bytes;
      if (bytes < retentionBytes || this.#segments.length === 1) break;
      this.#segments.shift();
      await oldest.delete();
    }
  }

  #notify(): void {
    for (const listener of this.#appendListeners) listener();
  }

  #end(endSegment: (segment: Segment) => Promise<void>): Promise<void> {
    return this.#inTurn(async () => {
      for (const segment of this.#segments) await endSegment(segment);
      this.#notify();
    });
  }
}
