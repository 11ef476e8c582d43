/** The fields of a record batch's header that a broker needs. Its records stay opaque, compressed or not. */
export interface BatchHeader {
  baseOffset: number;
  /** Size of the whole batch, header included. */
  bytes: number;
  magic: number;
  attributes: number;
  /** Offsets that the batch takes up. */
  offsetCount: number;
  /** Newest timestamp of its records, in ms since 1970. */
  maxTimestamp: number;
  /** -1 for a producer that is not idempotent. */
  producerId: number;
  producerEpoch: number;
  /** Sequence number of the first record. */
  baseSequence: number;
  recordCount: number;
}

const lengthAt = 8;
const crcAt = 17;
const attributesAt = 21;
const headerBytes = 61;
/** The base offset and the length itself are not counted in a batch's length. */
const uncountedBytes = 12;

/** The only record format since Kafka 0.11. */
export const magic = 2;

/** Attribute bits of a batch that belongs to a transaction, or that marks the end of one. */
export const transactionalBits = 0b11_0000;

/**
 * Reads the header of the batch at `position`, or nothing when the bytes there cannot be a whole batch.
 *
 * @see https://kafka.apache.org/documentation/#recordbatch
 */
export function readBatchHeader(buffer: Buffer, position = 0): BatchHeader | undefined {
  if (buffer.length - position < headerBytes) return undefined;
  const bytes = uncountedBytes + buffer.readInt32BE(position + lengthAt);
  if (bytes < headerBytes || bytes > buffer.length - position) return undefined;
  return {
    baseOffset: Number(buffer.readBigInt64BE(position)),
    bytes,
    magic: buffer.readInt8(position + 16),
    attributes: buffer.readInt16BE(position + attributesAt),
    offsetCount: buffer.readInt32BE(position + 23) + 1,
    maxTimestamp: Number(buffer.readBigInt64BE(position + 35)),
    producerId: Number(buffer.readBigInt64BE(position + 43)),
    producerEpoch: buffer.readInt16BE(position + 51),
    baseSequence: buffer.readInt32BE(position + 53),
    recordCount: buffer.readInt32BE(position + 57),
  };
}

/** Tells whether the batch that fills `batch` is what its producer made: the CRC covers all from the attributes on. */
export function isIntact(batch: Buffer): boolean {
  return crc32c(batch.subarray(attributesAt)) === batch.readUInt32BE(crcAt);
}

/** Gives a batch its place in the log. The base offset and the leader epoch lie outside what the CRC covers. */
export function placeAt(batch: Buffer, baseOffset: number): void {
  batch.writeBigInt64BE(BigInt(baseOffset), 0);
  batch.writeInt32BE(0, uncountedBytes);
}

/** CRC-32C (Castagnoli), which `node:zlib` lacks. @see https://www.rfc-editor.org/rfc/rfc3720#appendix-B.4 */
export function crc32c(bytes: Buffer): number {
  let crc = 0xffffffff;
  // Counted by hand: iterating a Buffer is several times slower.
  for (let at = 0; at < bytes.length; at++)
    crc = (crc >>> 8) ^ (crcTable[(crc ^ (bytes[at] as number)) & 0xff] as number);

  return ~crc >>> 0;
}

const crcTable = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  return crc;
});
