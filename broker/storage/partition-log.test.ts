import { appendFile, readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { ErrorCode } from '../errors.ts';
import { type BatchFields, makeBatch, makeTempDir } from '../testing.ts';
import { type LogOptions, PartitionLog } from './partition-log.ts';
import { isIntact, readBatchHeader } from './record-batch.ts';

/** Opens a log that is closed with the test, unless the test has closed it. Opening it again stands for a restart. */
async function openLog(options: Partial<LogOptions> & { dir: string }): Promise<PartitionLog> {
  const log = await PartitionLog.open({
    segmentBytes: 1000,
    retentionBytes: -1,
    maxMessageBytes: 1000,
    fsyncEachProduce: false,
    log: () => {},
    ...options,
  });
  onTestFinished(() => log.close().catch(() => {}));
  return log;
}

async function append(log: PartitionLog, ...batches: BatchFields[]): Promise<number[]> {
  const offsets: number[] = [];
  for (const fields of batches) offsets.push((await log.append(makeBatch(fields))).baseOffset);
  return offsets;
}

/** Reads all batches from `offset` on, and gives the base offset and the payload of each. */
async function readAll(log: PartitionLog, offset = log.startOffset): Promise<[number, string][]> {
  const batches: [number, string][] = [];
  for (let range = log.find(offset, 1); range; range = log.find(offset, 1)) {
    const bytes = await range.segment.read(range);
    const header = readBatchHeader(bytes);
    if (!header || !isIntact(bytes))
      throw new Error('the log expected a whole batch, but got something else');
    batches.push([header.baseOffset, bytes.subarray(61).toString()]);
    offset = header.baseOffset + header.offsetCount;
  }
  return batches;
}

const newestFile = async (dir: string) => join(dir, (await readdir(dir)).sort().at(-1) ?? '');

describe('appending', () => {
  test('gives each record the next offset, and reading gives the batches back', async () => {
    const log = await openLog({ dir: await makeTempDir() });
    expect(await append(log, { recordCount: 3, payload: 'a' }, { payload: 'b' }, { payload: 'c' })).toEqual([
      0, 3, 4,
    ]);
    expect(log.endOffset).toBe(5);
    expect(await readAll(log)).toEqual([
      [0, 'a'],
      [3, 'b'],
      [4, 'c'],
    ]);
  });

  test('keeps the order of the calls when none is waited for', async () => {
    const log = await openLog({ dir: await makeTempDir(), segmentBytes: 200 });
    const payloads = Array.from({ length: 50 }, (_, number) => `batch ${number}`);
    const results = await Promise.all(payloads.map(payload => log.append(makeBatch({ payload }))));
    expect(results.map(({ baseOffset }) => baseOffset)).toEqual([...payloads.keys()]);
    expect((await readAll(log)).map(([, payload]) => payload)).toEqual(payloads);
  });

  test('tells listeners until they end it', async () => {
    const log = await openLog({ dir: await makeTempDir() });
    let calls = 0;
    const stopListening = log.onAppend(() => calls++);
    await append(log, {});
    stopListening();
    await append(log, {});
    expect(calls).toBe(1);
  });

  test.each<[string, Buffer, ErrorCode]>([
    ['what is no batch', Buffer.alloc(60), ErrorCode.CORRUPT_MESSAGE],
    ['a batch that is broken off', makeBatch().subarray(0, -1), ErrorCode.CORRUPT_MESSAGE],
    ['a batch whose CRC does not fit', makeBatch().fill(1, 61, 62), ErrorCode.CORRUPT_MESSAGE],
    ['an older format', makeBatch().fill(1, 16, 17), ErrorCode.UNSUPPORTED_FOR_MESSAGE_FORMAT],
    ['two batches at once', Buffer.concat([makeBatch(), makeBatch()]), ErrorCode.INVALID_RECORD],
    ['a batch without records', makeBatch({ recordCount: 0 }), ErrorCode.INVALID_RECORD],
    ['a batch of a transaction', makeBatch({ attributes: 0b1_0000 }), ErrorCode.INVALID_RECORD],
    ['a batch that is too large', makeBatch({ payload: 'x'.repeat(940) }), ErrorCode.MESSAGE_TOO_LARGE],
  ])('refuses %s', async (_, batch, error) => {
    const log = await openLog({ dir: await makeTempDir() });
    expect(await log.append(batch)).toEqual({ error, baseOffset: -1 });
    expect(log.endOffset).toBe(0);
  });
});

describe('an idempotent producer', () => {
  const producerId = 7;

  test('gets the first offset again for a batch that it repeats', async () => {
    const log = await openLog({ dir: await makeTempDir() });
    const batches = [0, 2, 4].map(baseSequence => ({ producerId, baseSequence, recordCount: 2 }));
    expect(await append(log, ...batches)).toEqual([0, 2, 4]);
    expect(await append(log, ...batches)).toEqual([0, 2, 4]);
    expect(log.endOffset).toBe(6);
  });

  test('is refused when a batch is missing before', async () => {
    const log = await openLog({ dir: await makeTempDir() });
    await append(log, { producerId, baseSequence: 0 });
    const result = await log.append(makeBatch({ producerId, baseSequence: 2 }));
    expect(result).toEqual({ error: ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, baseOffset: -1 });
  });

  test('begins again at 0 with a new epoch, and is refused with an older one', async () => {
    const log = await openLog({ dir: await makeTempDir() });
    await append(log, { producerId, baseSequence: 0, producerEpoch: 1 });
    const next = (producerEpoch: number, baseSequence: number) =>
      log.append(makeBatch({ producerId, producerEpoch, baseSequence }));
    expect(await next(2, 1)).toEqual({ error: ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, baseOffset: -1 });
    expect(await next(2, 0)).toEqual({ error: ErrorCode.NONE, baseOffset: 1 });
    expect(await next(1, 1)).toEqual({ error: ErrorCode.INVALID_PRODUCER_EPOCH, baseOffset: -1 });
  });

  test('goes on at 0 after the last sequence number', async () => {
    const log = await openLog({ dir: await makeTempDir() });
    const last = { producerId, baseSequence: 2 ** 31 - 1 };
    expect(await append(log, last, { producerId, baseSequence: 0 })).toEqual([0, 1]);
  });

  test('does not disturb another', async () => {
    const log = await openLog({ dir: await makeTempDir() });
    expect(await append(log, { producerId: 1, baseSequence: 0 }, { producerId: 2, baseSequence: 0 })).toEqual(
      [0, 1],
    );
  });

  test('is recognised after a restart', async () => {
    const dir = await makeTempDir();
    const batches = [0, 1, 2].map(baseSequence => ({ producerId, baseSequence }));
    await append(await openLog({ dir }), ...batches);
    const log = await openLog({ dir });
    expect(await append(log, ...batches, { producerId, baseSequence: 3 })).toEqual([0, 1, 2, 3]);
    const gap = await log.append(makeBatch({ producerId, baseSequence: 9 }));
    expect(gap.error).toBe(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER);
  });
});

describe('recovery', () => {
  test('finds everything that was written, over several segments, without a close before', async () => {
    const dir = await makeTempDir();
    const before = await openLog({ dir, segmentBytes: 200 });
    await append(before, ...Array.from({ length: 10 }, (_, number) => ({ payload: `batch ${number}` })));
    const log = await openLog({ dir, segmentBytes: 200 });
    expect((await readdir(dir)).length).toBeGreaterThan(2);
    expect(await readAll(log)).toEqual(await readAll(before));
    expect(log.endOffset).toBe(10);
  });

  test('cuts off a torn batch, reports it, and gives its offset to the next', async () => {
    const dir = await makeTempDir();
    const lines: string[] = [];
    await append(await openLog({ dir }), { payload: 'kept' }, { payload: 'torn' });
    const file = await newestFile(dir);
    await truncate(file, (await stat(file)).size - 1);
    const log = await openLog({ dir, log: line => lines.push(line) });
    expect(lines).toEqual([
      expect.stringContaining(`cut 64 bytes that are no whole record batch off ${file}`),
    ]);
    expect(await append(log, { payload: 'next' })).toEqual([1]);
    expect((await readAll(log)).map(([, payload]) => payload)).toEqual(['kept', 'next']);
    expect((await readAll(await openLog({ dir }))).map(([, payload]) => payload)).toEqual(['kept', 'next']);
  });

  test.each([1, 11, 60, 300])('cuts off %i bytes that are no batch', async length => {
    const dir = await makeTempDir();
    await append(await openLog({ dir }), { payload: 'kept' });
    await appendFile(await newestFile(dir), Buffer.alloc(length, 0xee));
    const log = await openLog({ dir });
    expect((await readAll(log)).map(([, payload]) => payload)).toEqual(['kept']);
    expect(log.endOffset).toBe(1);
  });

  test('cuts off from a batch on whose CRC does not fit', async () => {
    const dir = await makeTempDir();
    await append(await openLog({ dir }), { payload: 'first' }, { payload: 'second' }, { payload: 'third' });
    const file = await newestFile(dir);
    const stored = await readFile(file);
    stored.write('S', stored.indexOf('second'));
    await writeFile(file, stored);
    const log = await openLog({ dir });
    expect((await readAll(log)).map(([, payload]) => payload)).toEqual(['first']);
    // As long as the second, so that the third would follow it if it were still there.
    await append(log, { payload: 'newest' });
    expect((await readAll(await openLog({ dir }))).map(([, payload]) => payload)).toEqual([
      'first',
      'newest',
    ]);
  });

  test('of an older segment that is damaged leaves a gap, which readers step over', async () => {
    const dir = await makeTempDir();
    await append(
      await openLog({ dir, segmentBytes: 150 }),
      ...['a', 'b', 'c', 'd'].map(payload => ({ payload })),
    );
    const oldest = join(dir, (await readdir(dir)).sort()[0] ?? '');
    await truncate(oldest, (await stat(oldest)).size - 1);
    const log = await openLog({ dir, segmentBytes: 150 });
    expect((await readAll(log, 1)).map(([, payload]) => payload)).toEqual(['c', 'd']);
    expect(log.endOffset).toBe(4);
  });

  test('of an empty newest segment goes on at its offset', async () => {
    const dir = await makeTempDir();
    await append(await openLog({ dir }), { recordCount: 5 });
    await writeFile(join(dir, '00000000000000000005.log'), '');
    expect(await append(await openLog({ dir }), {})).toEqual([5]);
  });
});

describe('retention', () => {
  const options = { segmentBytes: 200, retentionBytes: 400 };
  const batches = Array.from({ length: 20 }, (_, number) => ({ payload: `batch ${number}` }));

  test('drops the oldest segments beyond the bound, and the log begins later', async () => {
    const dir = await makeTempDir();
    const log = await openLog({ dir, ...options });
    await append(log, ...batches);
    expect(log.startOffset).toBeGreaterThan(0);
    expect((await readAll(log)).map(([offset]) => offset)).toEqual(
      [...batches.keys()].slice(log.startOffset),
    );
    const sizes = await Promise.all(
      (await readdir(dir)).map(async file => (await stat(join(dir, file))).size),
    );
    const kept = sizes.reduce((sum, size) => sum + size);
    expect(kept).toBeGreaterThanOrEqual(options.retentionBytes);
    expect(kept).toBeLessThanOrEqual(options.retentionBytes + 2 * options.segmentBytes);
  });

  test('survives a restart', async () => {
    const dir = await makeTempDir();
    const before = await openLog({ dir, ...options });
    await append(before, ...batches);
    const log = await openLog({ dir, ...options });
    expect([log.startOffset, log.endOffset]).toEqual([before.startOffset, before.endOffset]);
  });

  test('keeps everything where there is no bound', async () => {
    const log = await openLog({ dir: await makeTempDir(), segmentBytes: 200 });
    await append(log, ...batches);
    expect(log.startOffset).toBe(0);
  });
});

describe('finding', () => {
  test('gives as many whole batches as fit, and the first one in any case', async () => {
    const log = await openLog({ dir: await makeTempDir() });
    const bytes = makeBatch().length;
    await append(log, {}, {}, {});
    expect(log.find(0, 1)?.bytes).toBe(bytes);
    expect(log.find(0, 3 * bytes - 1)?.bytes).toBe(2 * bytes);
    expect(log.find(1, 10_000)?.bytes).toBe(2 * bytes);
    expect(log.find(3, 10_000)).toBeUndefined();
  });

  test('begins with the batch that holds the offset', async () => {
    const log = await openLog({ dir: await makeTempDir() });
    await append(log, { recordCount: 10, payload: 'a' }, { recordCount: 10, payload: 'b' });
    expect(await readAll(log, 9)).toHaveLength(2);
    expect(await readAll(log, 10)).toHaveLength(1);
  });

  test('by time gives the first batch with a record of that time or later', async () => {
    const log = await openLog({ dir: await makeTempDir(), segmentBytes: 150 });
    await append(log, ...[100, 300, 200, 400].map(maxTimestamp => ({ maxTimestamp })));
    const offsets = [0, 100, 101, 300, 301, 401].map(time => log.findTimestamp(time)?.baseOffset);
    expect(offsets).toEqual([0, 0, 1, 1, 3, undefined]);
  });
});

test('a deleted log leaves no file', async () => {
  const dir = await makeTempDir();
  const log = await openLog({ dir });
  await append(log, {});
  await log.delete();
  expect(await readdir(dir)).toEqual([]);
});
