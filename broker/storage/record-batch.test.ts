import { expect, test } from 'vitest';
import { makeBatch } from '../testing.ts';
import { crc32c, isIntact, placeAt, readBatchHeader } from './record-batch.ts';

test('the CRC is that of the published examples', () => {
  // https://www.rfc-editor.org/rfc/rfc3720#appendix-B.4
  expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
  expect(crc32c(Buffer.alloc(32))).toBe(0x8a9136aa);
  expect(crc32c(Buffer.alloc(32, 0xff))).toBe(0x62a8ab43);
});

test('a batch that is given its place stays intact', () => {
  const batch = makeBatch({ recordCount: 2 });
  placeAt(batch, 2 ** 40);
  expect(isIntact(batch)).toBe(true);
  expect(readBatchHeader(batch)).toMatchObject({ baseOffset: 2 ** 40, offsetCount: 2, bytes: batch.length });
});
