import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { Reader, Writer } from '../codec.ts';
import { ErrorCode } from '../errors.ts';
import { GroupCoordinator } from '../groups/coordinator.ts';
import { withDefaults } from '../options.ts';
import { CommittedOffsets } from '../storage/committed-offsets.ts';
import { Topics } from '../storage/topics.ts';
import { makeBatch, makeTempDir } from '../testing.ts';
import type { BrokerState } from './api.ts';
import { fetch } from './fetch.ts';
import { readTopics } from './topic-partitions.ts';

const version = 11;
const batchBytes = makeBatch().length;

interface Wanted {
  index?: number;
  offset?: number;
  maxBytes?: number;
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});

afterEach(() => {
  vi.useRealTimers();
});

/** Opens a broker without a network, with a topic of two partitions. */
async function openBroker() {
  const settings = withDefaults({
    dataDir: await makeTempDir(),
    port: 0,
    segmentBytes: 300,
    retentionBytes: 300,
  });
  const topics = await Topics.open(settings);
  const offsets = await CommittedOffsets.open(join(settings.dataDir, 'offsets'), settings.log);
  const closing = new AbortController();
  const advertised = { host: settings.host, port: settings.port };
  const groups = new GroupCoordinator(settings, offsets);
  const state: BrokerState = { settings, advertised, topics, offsets, groups, closing: closing.signal };
  await topics.create({ name: 'topic', partitionCount: 2, configs: {} });
  onTestFinished(async () => {
    await topics.close();
    await offsets.close();
  });
  const append = async (index = 0, count = 1) => {
    for (let batch = 0; batch < count; batch++) await topics.partition('topic', index)?.append(makeBatch());
  };
  return { state, topics, closing, append };
}

/** Sends a Fetch of the topic's partitions and reads the answer. */
async function fetchFrom(
  state: BrokerState,
  wanted: Wanted[],
  { minBytes = 1, maxBytes = 10_000, maxWaitMs = 1000, topic = 'topic' } = {},
) {
  const request = new Writer().int32(-1).int32(maxWaitMs).int32(minBytes).int32(maxBytes).int8(0);
  request.int32(0).int32(-1).int32(1).string(topic);
  request.array(wanted, partition => {
    request
      .int32(partition.index ?? 0)
      .int32(-1)
      .int64(partition.offset ?? 0);
    request.int64(-1).int32(partition.maxBytes ?? 10_000);
  });
  const reader = new Reader(request.int32(0).string('').toBuffer());
  const response = await fetch.handle({ version: version, clientId: '', clientHost: '', reader }, state);
  const body = new Reader(response?.toBuffer() ?? Buffer.alloc(0));
  body.int32();
  body.int16();
  body.int32();
  const [{ partitions } = { partitions: [] }] = readTopics(body, () => {
    const [index, error, highWatermark] = [body.int32(), body.int16(), body.int64()];
    body.int64();
    const startOffset = body.int64();
    body.array(() => 0);
    body.int32();
    return { index, error, highWatermark, startOffset, bytes: body.bytes().length };
  });
  return partitions;
}

/** Tells whether a promise is settled once everything that is not a timer has run. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  void promise.then(() => {
    settled = true;
  });
  await new Promise(resolve => setImmediate(resolve));
  return settled;
}

describe('a fetch', () => {
  test('is answered at once when there is enough to read', async () => {
    const { state, append } = await openBroker();
    await append(0, 2);
    expect(await fetchFrom(state, [{}, { index: 1 }])).toMatchObject([
      { index: 0, error: ErrorCode.NONE, highWatermark: 2, startOffset: 0, bytes: 2 * batchBytes },
      { index: 1, error: ErrorCode.NONE, highWatermark: 0, startOffset: 0, bytes: 0 },
    ]);
  });

  test('waits for the fewest bytes that are asked for, over all partitions', async () => {
    const { state, append } = await openBroker();
    const answer = fetchFrom(state, [{}, { index: 1 }], { minBytes: 2 * batchBytes });
    await append(0);
    expect(await isSettled(answer)).toBe(false);
    await append(1);
    expect(await answer).toMatchObject([{ bytes: batchBytes }, { bytes: batchBytes }]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('is answered with what there is when its time is up', async () => {
    const { state, append } = await openBroker();
    await append();
    const answer = fetchFrom(state, [{}], { minBytes: 10_000, maxWaitMs: 500 });
    await vi.advanceTimersByTimeAsync(499);
    expect(await isSettled(answer)).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(await answer).toMatchObject([{ error: ErrorCode.NONE, bytes: batchBytes }]);
  });

  test.each<[string, (broker: Awaited<ReturnType<typeof openBroker>>) => unknown, ErrorCode]>([
    ['the broker closes', ({ closing }) => closing.abort(), ErrorCode.NONE],
    ['the topic is deleted', ({ topics }) => topics.delete('topic'), ErrorCode.UNKNOWN_TOPIC_OR_PARTITION],
  ])('ends its wait when %s', async (_, end, error) => {
    const broker = await openBroker();
    const answer = fetchFrom(broker.state, [{}]);
    expect(await isSettled(answer)).toBe(false);
    await end(broker);
    expect(await answer).toMatchObject([{ error, bytes: 0 }]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('gets no more than a partition or the whole answer may hold, in whole batches', async () => {
    const { state, append } = await openBroker();
    await append(0, 3);
    await append(1, 3);
    const partitions = [{ maxBytes: 2 * batchBytes + 1 }, { index: 1 }];
    expect(await fetchFrom(state, partitions, { maxBytes: 3 * batchBytes })).toMatchObject([
      { bytes: 2 * batchBytes },
      { bytes: batchBytes },
    ]);
  });

  test('gets one batch above all limits, but only as the first of the answer', async () => {
    const { state, append } = await openBroker();
    await append(0, 2);
    await append(1, 2);
    expect(await fetchFrom(state, [{ maxBytes: 1 }, { index: 1, maxBytes: 1 }])).toMatchObject([
      { bytes: batchBytes },
      { bytes: 0 },
    ]);
    expect(await fetchFrom(state, [{ offset: 2 }, { index: 1 }], { maxBytes: 1 })).toMatchObject([
      { bytes: 0 },
      { bytes: batchBytes },
    ]);
  });

  test('of an offset that retention has dropped, or that is yet to come, is answered at once with an error', async () => {
    const { state, topics, append } = await openBroker();
    await append(0, 30);
    const { startOffset = 0, endOffset = 0 } = topics.partition('topic', 0) ?? {};
    expect(startOffset).toBeGreaterThan(0);
    for (const offset of [startOffset - 1, endOffset + 1]) {
      const [partition] = await fetchFrom(state, [{ offset }]);
      expect(partition).toMatchObject({ error: ErrorCode.OFFSET_OUT_OF_RANGE, startOffset, bytes: 0 });
    }
    expect(await fetchFrom(state, [{ offset: startOffset }])).toMatchObject([{ error: ErrorCode.NONE }]);
  });

  test('of a topic that is not there is answered at once with an error', async () => {
    const { state } = await openBroker();
    const [partition] = await fetchFrom(state, [{}], { topic: 'other' });
    expect(partition).toMatchObject({ error: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, bytes: 0 });
  });
});
