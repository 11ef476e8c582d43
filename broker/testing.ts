import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { crc32c } from './storage/record-batch.ts';

/** Fields of a record batch for a test. The defaults are those of one record of no idempotent producer. */
export interface BatchFields {
  recordCount?: number;
  /** In ms since 1970. */
  maxTimestamp?: number;
  producerId?: number;
  producerEpoch?: number;
  baseSequence?: number;
  attributes?: number;
  /** Stands for the records, which no broker reads. */
  payload?: string | Buffer;
}

/** Makes a record batch as a producer would: base offset 0, and a CRC that fits. */
export function makeBatch(fields: BatchFields = {}): Buffer {
  const { recordCount = 1, maxTimestamp = 0, attributes = 0, payload = 'records' } = fields;
  const header = Buffer.alloc(61);
  const batch = Buffer.concat([header, Buffer.from(payload)]);
  batch.writeInt32BE(batch.length - 12, 8);
  batch.writeInt8(2, 16);
  batch.writeInt16BE(attributes, 21);
  batch.writeInt32BE(recordCount - 1, 23);
  batch.writeBigInt64BE(BigInt(maxTimestamp), 27);
  batch.writeBigInt64BE(BigInt(maxTimestamp), 35);
  batch.writeBigInt64BE(BigInt(fields.producerId ?? -1), 43);
  batch.writeInt16BE(fields.producerEpoch ?? (fields.producerId === undefined ? -1 : 0), 51);
  batch.writeInt32BE(fields.baseSequence ?? -1, 53);
  batch.writeInt32BE(recordCount, 57);
  batch.writeUInt32BE(crc32c(batch.subarray(21)), 17);
  return batch;
}

/** Makes a folder that is removed when the test has finished. */
export async function makeTempDir(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'embedded-broker-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  return dir;
}
