import { isUtf8 } from 'node:buffer';

/** A request that does not follow the protocol, or one that this broker does not speak. Its connection is closed. */
export class InvalidRequestError extends Error {
  override readonly name = 'InvalidRequestError';
}

/**
 * Reads the primitive types of Kafka's non-flexible encodings, one after another.
 *
 * Every method throws `InvalidRequestError` rather than read past the end or believe an impossible length.
 *
 * @see https://kafka.apache.org/protocol#protocol_types
 */
export class Reader {
  readonly #buffer: Buffer;
  #position = 0;

  constructor(buffer: Buffer) {
    this.#buffer = buffer;
  }

  boolean(): boolean {
    return this.int8() !== 0;
  }

  int8(): number {
    return this.#take(1).readInt8();
  }

  int16(): number {
    return this.#take(2).readInt16BE();
  }

  int32(): number {
    return this.#take(4).readInt32BE();
  }

  /** Offsets, timestamps and producer ids: a number, since none that is real needs more than its 53 bits. */
  int64(): number {
    const value = Number(this.#take(8).readBigInt64BE());
    if (Number.isSafeInteger(value)) return value;
    throw new InvalidRequestError(`an INT64 must have at most 53 bits; it is ${value}`);
  }

  string(): string {
    return required(this.nullableString(), 'STRING');
  }

  nullableString(): string | null {
    const length = this.int16();
    if (length === -1) return null;
    const bytes = this.#take(length);
    // Read otherwise, it could be longer than a STRING can be when it is written again.
    if (!isUtf8(bytes)) throw new InvalidRequestError('a STRING must be UTF-8');
    return bytes.toString();
  }

  /** A view on the request, not a copy: whoever keeps it keeps the whole request in memory. */
  bytes(): Buffer {
    return required(this.nullableBytes(), 'BYTES');
  }

  nullableBytes(): Buffer | null {
    const length = this.int32();
    return length === -1 ? null : this.#take(length);
  }

  /** A null array reads as an empty one. */
  array<T>(readItem: () => T): T[] {
    return this.nullableArray(readItem) ?? [];
  }

  nullableArray<T>(readItem: () => T): T[] | null {
    const length = this.int32();
    if (length === -1) return null;
    // Every item takes a byte at least, so a longer array is refused before it is read.
    if (length < 0 || length > this.#remaining) throw this.#tooLong('an ARRAY', length);
    // It grows with what is there: the length may be a lie all the same.
    const items: T[] = [];
    for (let index = 0; index < length; index++) items.push(readItem());
    return items;
  }

  get #remaining(): number {
    return this.#buffer.length - this.#position;
  }

  #take(length: number): Buffer {
    if (length < 0 || length > this.#remaining) throw this.#tooLong('a field', length);
    const start = this.#position;
    this.#position += length;
    return this.#buffer.subarray(start, this.#position);
  }

  #tooLong(what: string, length: number): InvalidRequestError {
    return new InvalidRequestError(`${what} has ${length} bytes, but ${this.#remaining} are left`);
  }
}

function required<T>(value: T | null, type: string): T {
  if (value === null) throw new InvalidRequestError(`a ${type} must not be null`);
  return value;
}

/** Writes what {@link Reader} reads. Each method returns the writer itself. */
export class Writer {
  readonly #chunks: Buffer[] = [];

  boolean(value: boolean): this {
    return this.int8(value ? 1 : 0);
  }

  int8(value: number): this {
    return this.#write(1, chunk => chunk.writeInt8(value));
  }

  int16(value: number): this {
    return this.#write(2, chunk => chunk.writeInt16BE(value));
  }

  int32(value: number): this {
    return this.#write(4, chunk => chunk.writeInt32BE(value));
  }

  int64(value: number): this {
    return this.#write(8, chunk => chunk.writeBigInt64BE(BigInt(value)));
  }

  string(value: string | null): this {
    return value === null ? this.int16(-1) : this.int16(Buffer.byteLength(value)).raw(Buffer.from(value));
  }

  bytes(value: Buffer): this {
    return this.int32(value.length).raw(value);
  }

  array<T>(items: readonly T[], writeItem: (item: T) => unknown): this {
    this.int32(items.length);
    for (const item of items) writeItem(item);
    return this;
  }

  /** Appends the bytes of another writer. */
  append(other: Writer): this {
    for (const chunk of other.#chunks) this.raw(chunk);
    return this;
  }

  raw(bytes: Buffer): this {
    this.#chunks.push(bytes);
    return this;
  }

  /** Size of what is written so far. */
  get bytesWritten(): number {
    return this.#chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  }

  toBuffer(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  #write(length: number, fill: (chunk: Buffer) => unknown): this {
    const chunk = Buffer.allocUnsafe(length);
    fill(chunk);
    return this.raw(chunk);
  }
}
