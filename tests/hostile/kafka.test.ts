import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import kafkajs from 'kafkajs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type BrokerProcess, makeDataDir, startBrokerProcess } from '../kafka/broker-process.ts';

/** Time in which an honest client has its record, in ms. */
const honestMs = 10_000;

let broker: BrokerProcess;
let data: Awaited<ReturnType<typeof makeDataDir>>;
let kafka: kafkajs.Kafka;
let producer: kafkajs.Producer;

beforeAll(async () => {
  data = await makeDataDir();
  broker = await startBrokerProcess({ KAFKA_PORT: '0', KAFKA_DATA_DIR: data.dataDir });
  kafka = new kafkajs.Kafka({ brokers: [`127.0.0.1:${broker.port}`], logLevel: kafkajs.logLevel.NOTHING });
  producer = kafka.producer();
  await producer.connect();
});
afterAll(async () => {
  await producer.disconnect();
  await broker.end('SIGTERM');
  await data.remove();
});

/** Sends bytes. @returns whether the broker closed the connection, within a moment */
async function speak(...parts: Buffer[]): Promise<boolean> {
  const socket = connect(broker.port, '127.0.0.1');
  socket.on('error', () => {});
  socket.resume();
  const closed = new Promise<true>(resolve => socket.once('close', () => resolve(true)));
  for (const part of parts) socket.write(part);
  const isClosed = await Promise.race([closed, delay(500, false)]);
  socket.destroy();
  return isClosed;
}

const int16 = (value: number) => Buffer.from([(value >> 8) & 0xff, value & 0xff]);
function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}
const framed = (...parts: Buffer[]) => Buffer.concat([int32(Buffer.concat(parts).length), ...parts]);
const header = (key: number, version: number) =>
  Buffer.concat([int16(key), int16(version), int32(1), int16(1), Buffer.from('c')]);
const most = 2 ** 31 - 1;

/** Bytes, and whether they close the connection; undefined where either is right. */
const cases: [string, Buffer[], boolean?][] = [
  ['HTTP', [Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\n')], true],
  ['a greeting of TLS', [Buffer.from('16030100050100000100', 'hex')]],
  ['a size of nothing', [int32(0)], true],
  ['a size below nothing', [int32(-1)], true],
  ['a size of all that there is', [int32(most)], true],
  ['a size, and then nothing', [int32(1_000)], false],
  ['one byte', [Buffer.from([0])], false],
  ['an API that there is not', [framed(header(999, 0))], true],
  ['a version that there is not', [framed(header(3, 99))], true],
  ['a version below nothing', [framed(header(0, -1))], true],
  ['nothing behind the header', [framed(header(3, 4))], true],
  ['an array of all that there is', [framed(header(3, 4), int32(most))], true],
  ['an array below nothing', [framed(header(3, 4), int32(-2))], true],
  ['a text of all that there is', [framed(header(10, 0), int16(32_767))], true],
  ['a text that is no UTF-8', [framed(header(10, 0), int16(2), Buffer.from([0xff, 0xfe]))], true],
  [
    'a topic with a path for a name',
    [framed(header(3, 4), int32(1), int16(9), Buffer.from('../../etc'), Buffer.from([1]))],
    false,
  ],
  ['fifty megabytes of zeros', [framed(header(3, 4), Buffer.alloc(50_000_000))]],
  [
    'an array of thirty million, of which none is there',
    [framed(header(3, 4), int32(30_000_000), Buffer.alloc(30_000_000, 0xff))],
  ],
];

describe('the embedded broker', () => {
  test.each(cases)('goes on after %s', async (_what, parts, closes) => {
    const startedAt = performance.now();
    const [isClosed] = await Promise.all([
      Promise.all(Array.from({ length: 5 }, () => speak(...parts))).then(all => all.every(Boolean)),
      producer.send({ topic: 'honest', messages: [{ value: 'record' }] }),
    ]);
    if (closes !== undefined) expect(isClosed).toBe(closes);
    expect(performance.now() - startedAt).toBeLessThan(honestMs);
    expect(broker.child.exitCode).toBeNull();
  });

  test('has every record of the honest client, and reports no stack', async () => {
    const admin = kafka.admin();
    await admin.connect();
    expect((await admin.fetchTopicOffsets('honest'))[0]?.offset).toBe(String(cases.length));
    expect(await admin.listTopics()).toEqual(['honest']);
    await admin.disconnect();
    expect(broker.output()).not.toMatch(/\n\s+at /);
  });
});
