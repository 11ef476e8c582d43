import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { InvalidRequestError, Reader, Writer } from '../codec.ts';
import { ErrorCode } from '../errors.ts';
import { GroupCoordinator } from '../groups/coordinator.ts';
import { withDefaults } from '../options.ts';
import { CommittedOffsets } from '../storage/committed-offsets.ts';
import { crc32c } from '../storage/record-batch.ts';
import { Topics } from '../storage/topics.ts';
import { makeBatch } from '../testing.ts';
import { answer } from './answer.ts';
import type { BrokerState } from './api.ts';

/** Time after which the broker closes under a request that waits for records or members, in ms. */
const patienceMs = 20;
/** Time in which every request has to be answered then, in ms. */
const answerMs = 2_000;

type State = Omit<BrokerState, 'closing'>;
let state: State;

beforeAll(async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'embedded-broker-'));
  const settings = withDefaults({ dataDir, port: 0, autoCreateTopics: false, initialRebalanceDelayMs: 0 });
  const offsets = await CommittedOffsets.open(join(dataDir, 'offsets.jsonl'), () => {});
  const topics = await Topics.open(settings);
  await topics.create({ name: 'topic', partitionCount: 2, configs: {} });
  // Of what is made up here, each topic would take files, and the one that is read must stay.
  vi.spyOn(topics, 'create').mockImplementation(topic => Promise.resolve(topics.validate(topic)));
  vi.spyOn(topics, 'delete').mockImplementation(name =>
    Promise.resolve(topics.get(name) ? ErrorCode.NONE : ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
  );
  const groups = new GroupCoordinator(settings, offsets);
  state = { settings, advertised: { host: '127.0.0.1', port: 9092 }, topics, offsets, groups };
});
afterAll(async () => {
  state.groups.close();
  await state.topics.close();
  await state.offsets.close();
  await rm(state.settings.dataDir, { recursive: true, force: true });
});

/** Answers as a broker does that closes when the answer does not come at once. */
async function ask(frame: Buffer): Promise<Buffer | undefined> {
  const closing = new AbortController();
  const timer = setTimeout(() => {
    closing.abort();
    state.groups.close();
  }, patienceMs);
  try {
    return (await answer(frame, '127.0.0.1', { ...state, closing: closing.signal }))?.toBuffer();
  } finally {
    clearTimeout(timer);
  }
}

/** Asks what nobody should. @returns how long it took, in ms */
async function askHostile(frame: Buffer): Promise<number> {
  const startedAt = performance.now();
  try {
    await ask(frame);
  } catch (error) {
    if (!(error instanceof InvalidRequestError)) throw error;
  }
  return performance.now() - startedAt;
}

type Write = (writer: Writer, version: number) => Writer;

const strings = (writer: Writer, ...each: (string | null)[]) =>
  each.reduce((before, text) => before.string(text), writer);
const topicOf = (writer: Writer, write: (partition: Writer) => Writer) =>
  writer.array(['topic'], name => writer.string(name).array([0], index => write(writer.int32(index))));
const names: Write = writer => writer.array(['topic', 'other'], name => writer.string(name));

/** A request of each API that is spoken: its key, its oldest and its newest version, and its fields. */
const requests: [name: string, key: number, versions: [number, number], write: Write][] = [
  [
    'Produce',
    0,
    [3, 7],
    writer => topicOf(writer.string(null).int16(-1).int32(1), each => each.bytes(makeBatch())),
  ],
  [
    'Fetch',
    1,
    [4, 11],
    (writer, version) => {
      writer.int32(-1).int32(0).int32(1).int32(1_000_000).int8(0);
      if (version >= 7) writer.int32(0).int32(-1);
      return topicOf(writer, each => {
        if (version >= 9) each.int32(-1);
        each.int64(0);
        return (version >= 5 ? each.int64(-1) : each).int32(1_000_000);
      });
    },
  ],
  [
    'ListOffsets',
    2,
    [1, 3],
    (writer, version) => {
      writer.int32(-1);
      return topicOf(version >= 2 ? writer.int8(0) : writer, each => each.int64(-1));
    },
  ],
  ['Metadata', 3, [4, 6], (writer, version) => names(writer, version).boolean(true)],
  [
    'OffsetCommit',
    8,
    [5, 5],
    writer => topicOf(strings(writer, 'group').int32(-1).string(''), each => each.int64(1).string('')),
  ],
  ['OffsetFetch', 9, [3, 4], writer => topicOf(strings(writer, 'group'), each => each)],
  [
    'FindCoordinator',
    10,
    [0, 2],
    (writer, version) => (version >= 1 ? writer.string('group').int8(0) : writer.string('group')),
  ],
  [
    'JoinGroup',
    11,
    [5, 5],
    writer =>
      strings(strings(writer, 'group').int32(10_000).int32(10), '', null, 'consumer').array(['range'], name =>
        writer.string(name).bytes(Buffer.alloc(3)),
      ),
  ],
  ['Heartbeat', 12, [1, 3], heartbeat],
  [
    'LeaveGroup',
    13,
    [1, 3],
    (writer, version) =>
      version < 3
        ? strings(writer, 'group', 'member')
        : writer.string('group').array(['member'], id => strings(writer, id, null)),
  ],
  [
    'SyncGroup',
    14,
    [3, 3],
    writer =>
      strings(strings(writer, 'group').int32(1), 'member', null).array(['member'], id =>
        writer.string(id).bytes(Buffer.alloc(3)),
      ),
  ],
  ['DescribeGroups', 15, [1, 2], names],
  ['ListGroups', 16, [1, 2], writer => writer],
  ['ApiVersions', 18, [0, 2], writer => writer],
  [
    'CreateTopics',
    19,
    [2, 4],
    writer =>
      writer
        .array(['new'], name =>
          strings(writer.string(name).int32(1).int16(1))
            .array([0], partition => writer.int32(partition).array([1], replica => writer.int32(replica)))
            .array(['retention.bytes'], key => strings(writer, key, '1000')),
        )
        .int32(1)
        .boolean(true),
  ],
  ['DeleteTopics', 20, [1, 3], (writer, version) => names(writer, version).int32(1)],
  ['InitProducerId', 22, [0, 1], writer => writer.string(null).int32(1)],
  [
    'DescribeConfigs',
    32,
    [1, 2],
    writer =>
      writer
        .array([2, 4], type =>
          strings(writer.int8(type), type === 2 ? 'topic' : '1').array(['retention.bytes'], key =>
            writer.string(key),
          ),
        )
        .boolean(false),
  ],
  ['DeleteGroups', 42, [0, 1], names],
];

function heartbeat(writer: Writer, version: number): Writer {
  strings(writer, 'group').int32(1).string('member');
  return version >= 3 ? writer.string(null) : writer;
}

function frameOf([, key, , write]: (typeof requests)[number], version: number): Buffer {
  return write(new Writer().int16(key).int16(version).int32(77).string('client'), version).toBuffer();
}

const lies = [0, -1, -2, 1, 127, 255, 32_767, -32_768, 2 ** 30, 2 ** 31 - 1, -(2 ** 31)];

/** Change of a request on its way: cut off, with other bytes or texts, with a number that lies, with more in it. */
const mutation = fc.oneof(
  fc.record({ kind: fc.constant('cut' as const), at: fc.nat() }),
  fc.record({ kind: fc.constant('byte' as const), at: fc.nat(), value: fc.nat(255) }),
  fc.record({ kind: fc.constant('int16' as const), at: fc.nat(), value: fc.constantFrom(...lies) }),
  fc.record({ kind: fc.constant('int32' as const), at: fc.nat(), value: fc.constantFrom(...lies) }),
  fc.record({ kind: fc.constant('more' as const), at: fc.nat(), bytes: fc.uint8Array({ maxLength: 40 }) }),
  fc.record({
    kind: fc.constant('text' as const),
    at: fc.nat(),
    word: fc.constantFrom('client', 'topic', 'other', 'new', 'group', 'member', 'consumer', 'range'),
    text: fc.oneof(
      fc.uint8Array({ maxLength: 300 }).map(Buffer.from),
      fc.constantFrom(Buffer.alloc(32_767, 'a'), Buffer.alloc(32_767, 0xff), Buffer.from('../../x')),
    ),
  }),
);

type Mutation = typeof mutation extends fc.Arbitrary<infer Made> ? Made : never;

/** Length of the API's key, its version and the id of the request, which stay. */
const headerBytes = 8;

function mutate(frame: Buffer, change: Mutation): Buffer {
  const at = headerBytes + (change.at % Math.max(1, frame.length - headerBytes));
  const copy = Buffer.from(frame);
  switch (change.kind) {
    case 'cut':
      return copy.subarray(0, at);
    case 'byte':
      if (at < copy.length) copy[at] = change.value;
      return copy;
    case 'int16':
      if (at + 2 <= copy.length) copy.writeInt16BE((change.value << 16) >> 16, at);
      return copy;
    case 'int32':
      if (at + 4 <= copy.length) copy.writeInt32BE(change.value, at);
      return copy;
    case 'more':
      return Buffer.concat([copy.subarray(0, at), change.bytes, copy.subarray(at)]);
    case 'text': {
      const word = new Writer().string(change.word).toBuffer();
      const from = copy.indexOf(word);
      if (from < 0) return copy;
      const text = new Writer().int16(change.text.length).raw(change.text).toBuffer();
      return Buffer.concat([copy.subarray(0, from), text, copy.subarray(from + word.length)]);
    }
  }
}

describe.each(requests)('%s', (...request) => {
  const [, , [oldest, newest]] = request;
  const version = fc.integer({ min: oldest, max: newest });

  test('is answered', async () => {
    for (let each = oldest; each <= newest; each++)
      expect(new Reader((await ask(frameOf(request, each))) ?? Buffer.alloc(4)).int32()).toBe(77);
  });

  test('that was changed on its way is answered, or refused for what is wrong with it', async () => {
    await fc.assert(
      fc.asyncProperty(version, fc.array(mutation, { minLength: 1, maxLength: 4 }), async (each, changes) => {
        expect(await askHostile(changes.reduce(mutate, frameOf(request, each)))).toBeLessThan(answerMs);
      }),
      { numRuns: 150 },
    );
  });
});

test('bytes of no request are refused', async () => {
  const frame = fc
    .tuple(fc.oneof(fc.integer({ min: 0, max: 50 }), fc.integer({ min: -32_768, max: 32_767 })), fc.nat(12))
    .chain(([key, version]) =>
      fc
        .uint8Array({ maxLength: 300 })
        .map(bytes => Buffer.concat([new Writer().int16(key).int16(version).toBuffer(), bytes])),
    );
  await fc.assert(
    fc.asyncProperty(fc.oneof(frame, fc.uint8Array().map(Buffer.from)), async bytes => {
      expect(await askHostile(bytes)).toBeLessThan(answerMs);
    }),
    { numRuns: 1_000 },
  );
});

test('a time that is no number here is refused, and times are found after it', async () => {
  const { topics } = state;
  const batch = makeBatch();
  batch.writeBigInt64BE(2n ** 63n - 1n, 35);
  batch.writeUInt32BE(crc32c(batch.subarray(21)), 17);
  const result = await topics.partition('topic', 1)?.append(batch);
  expect(result).toEqual({ error: ErrorCode.INVALID_TIMESTAMP, baseOffset: -1 });
  const frame = new Writer().int16(2).int16(1).int32(77).string('client').int32(-1);
  frame.array(['topic'], name => frame.string(name).array([1], index => frame.int32(index).int64(1)));
  expect(await ask(frame.toBuffer())).toBeDefined();
});

test('more replicas than a call takes arguments are refused as a number of replicas', async () => {
  const frame = new Writer().int16(19).int16(2).int32(77).string('client');
  const replicas = Array.from({ length: 200_000 }, (_, index) => index);
  frame
    .array(['many'], name =>
      strings(frame.string(name).int32(-1).int16(-1))
        .array(replicas, partition => frame.int32(partition).array([1], replica => frame.int32(replica)))
        .array([], () => {}),
    )
    .int32(1)
    .boolean(true);
  const reader = new Reader((await ask(frame.toBuffer())) ?? Buffer.alloc(0));
  reader.int32();
  reader.int32();
  expect(reader.array(() => [reader.string(), reader.int16(), reader.nullableString()])).toEqual([
    ['many', ErrorCode.INVALID_PARTITIONS, expect.any(String)],
  ]);
});

test('a fetch that names a partition again and again holds up nobody who writes there', async () => {
  const partitions = Array.from({ length: 5_000 }, () => 1);
  const frame = new Writer().int16(1).int16(4).int32(77).string('client');
  frame
    .int32(-1)
    .int32(60_000)
    .int32(2 ** 31 - 1)
    .int32(1_000_000)
    .int8(0);
  const log = state.topics.partition('topic', 1);
  frame.array(['topic'], name =>
    frame.string(name).array(partitions, index =>
      frame
        .int32(index)
        .int64(log?.endOffset ?? 0)
        .int32(1_000),
    ),
  );
  const closing = new AbortController();
  const fetched = answer(frame.toBuffer(), '127.0.0.1', { ...state, closing: closing.signal });
  const startedAt = performance.now();
  await log?.append(makeBatch());
  expect(performance.now() - startedAt).toBeLessThan(answerMs);
  closing.abort();
  await fetched;
});
