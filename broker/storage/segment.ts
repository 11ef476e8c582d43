import { type FileHandle, open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFully } from './files.ts';
import { type BatchHeader, isIntact, magic, readBatchHeader } from './record-batch.ts';

/** Place of a batch in its segment, and the records that it holds. */
export interface IndexEntry {
  baseOffset: number;
  /** The offset after its last record's. */
  nextOffset: number;
  position: number;
  bytes: number;
  maxTimestamp: number;
}

/** A run of whole batches in a segment's file. */
export interface Range {
  segment: Segment;
  position: number;
  bytes: number;
}

const extension = '.log';

/** One file of a partition: record batches as they came, one after another, and an index of them in memory. */
export class Segment {
  /** The first offset that may be in this file, which is also its name. */
  readonly baseOffset: number;
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #index: IndexEntry[] = [];
  #bytes = 0;
  #maxTimestamp = -1;

  private constructor(path: string, file: FileHandle, baseOffset: number) {
    this.#path = path;
    this.#file = file;
    this.baseOffset = baseOffset;
  }

  /** Makes an empty segment. */
  static async create(dir: string, baseOffset: number): Promise<Segment> {
    const path = join(dir, `${String(baseOffset).padStart(20, '0')}${extension}`);
    return new Segment(path, await open(path, 'wx+'), baseOffset);
  }

  /**
   * Opens a segment that is there, and hands every batch to `onBatch`. From the first batch on that is torn or out of
   * order, or with `checkCrc` damaged, the file is cut off.
   *
   * @returns the segment, and how many bytes were cut off it
   */
  static async recover(
    path: string,
    { checkCrc, onBatch }: { checkCrc: boolean; onBatch: (batch: BatchHeader) => void },
  ): Promise<{ segment: Segment; lostBytes: number }> {
    const segment = new Segment(path, await open(path, 'r+'), baseOffsetOf(path));
    const stored = await readFile(path);
    for (;;) {
      const batch = readBatchHeader(stored, segment.#bytes);
      if (batch?.magic !== magic || batch.offsetCount < 1 || batch.baseOffset < segment.nextOffset) break;
      if (checkCrc && !isIntact(stored.subarray(segment.#bytes, segment.#bytes + batch.bytes))) break;
      segment.#add(batch, batch.baseOffset);
      onBatch(batch);
    }
    const lostBytes = stored.length - segment.#bytes;
    if (lostBytes > 0) await segment.#file.truncate(segment.#bytes);
    return { segment, lostBytes };
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The offset after the last record's. */
  get nextOffset(): number {
    return this.#index.at(-1)?.nextOffset ?? this.baseOffset;
  }

  get path(): string {
    return this.#path;
  }

  /**
   * Writes a batch at the end. Resolves when the operating system has it, and with `sync` when the disk has it; only
   * then can it be read. What a failed write leaves behind is overwritten by the next.
   */
  async append(batch: Buffer, header: BatchHeader, sync: boolean): Promise<void> {
    await writeFully(this.#file, batch, this.#bytes);
    if (sync) await this.#file.datasync();
    this.#add(header, this.nextOffset);
  }

  /** Finds the batches from the one with `offset` on: as many as fit in `maxBytes`, or the first alone. */
  find(offset: number, maxBytes: number): Range {
    const first = firstIndexWhere(this.#index, entry => entry.nextOffset > offset);
    const position = this.#index[first]?.position ?? this.#bytes;
    const firstTooFar = firstIndexWhere(
      this.#index,
      entry => entry.position + entry.bytes > position + maxBytes,
    );
    const end = this.#index[Math.max(firstTooFar, first + 1)]?.position ?? this.#bytes;
    return { segment: this, position, bytes: end - position };
  }

  /** Finds the first batch with a record of that time or later. */
  findTimestamp(timestamp: number): IndexEntry | undefined {
    if (this.#maxTimestamp < timestamp) return undefined;
    return this.#index.find(entry => entry.maxTimestamp >= timestamp);
  }

  /** Reads a range that {@link find} gave. */
  async read({ position, bytes }: Range): Promise<Buffer> {
    const buffer = Buffer.allocUnsafe(bytes);
    const { bytesRead } = await this.#file.read(buffer, 0, bytes, position);
    if (bytesRead === bytes) return buffer;
    throw new Error(`${this.#path} is too short: of ${bytes} bytes at ${position}, ${bytesRead} are there`);
  }

  /** Brings everything to the disk and closes the file, after the reads that are under way. */
  async close(): Promise<void> {
    await this.#file.sync();
    await this.#file.close();
  }

  async delete(): Promise<void> {
    await this.#file.close();
    await rm(this.#path, { force: true });
  }

  #add({ offsetCount, bytes, maxTimestamp }: BatchHeader, baseOffset: number): void {
    const nextOffset = baseOffset + offsetCount;
    this.#index.push({ baseOffset, nextOffset, position: this.#bytes, bytes, maxTimestamp });
    this.#bytes += bytes;
    this.#maxTimestamp = Math.max(this.#maxTimestamp, maxTimestamp);
  }
}

/** Tells whether a file's name is that of a segment. */
export function isSegmentFile(name: string): boolean {
  return /^\d{20}\.log$/.test(name);
}

function baseOffsetOf(path: string): number {
  return Number(path.slice(-20 - extension.length, -extension.length));
}

/** Finds by halving, where `isMatch` holds for every item from some one on. */
function firstIndexWhere<T>(items: readonly T[], isMatch: (item: T) => boolean): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (isMatch(items[middle] as T)) high = middle;
    else low = middle + 1;
  }
  return low;
}
