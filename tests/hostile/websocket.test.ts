import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { useFront } from '../helpers/front.ts';

/** Time in which the gateway has to have closed a connection that it can't go on with, in ms. */
const closeMs = 6_000;

const front = useFront({
  env: {
    LIVE_CONNECTION_INIT_TIMEOUT_MS: '1000',
    LIVE_MAX_MESSAGE_BYTES: '65536',
    LIVE_KEEP_ALIVE_MS: '1500',
  },
});
beforeAll(async () => {
  const subgraph = await front.serve({
    name: 'ticks',
    typeDefs: 'type Query { name: String } type Subscription { ticked: Int }',
    resolvers: {
      Query: { name: () => 'Ada' },
      Subscription: {
        ticked: {
          async *subscribe() {
            for (let ticked = 0; ; ticked += 1) {
              yield { ticked };
              await delay(50);
            }
          },
        },
      },
    },
  });
  await subgraph.register();
  await vi.waitFor(async () => expect((await front.supergraph()).subgraphs.length).toBe(1), {
    timeout: 10_000,
    interval: 50,
  });
});

const address = () => front.graphUrl.replace('http', 'ws');

/** Gets events as an honest client does. */
async function expectHonestEvents(): Promise<void> {
  const socket = new WebSocket(address(), 'graphql-transport-ws');
  try {
    await once(socket, 'open');
    socket.send('{"type":"connection_init"}');
    await once(socket, 'message');
    socket.send('{"type":"subscribe","id":"1","payload":{"query":"subscription { ticked }"}}');
    const [first] = (await once(socket, 'message', { signal: AbortSignal.timeout(5_000) })) as [Buffer];
    expect(JSON.parse(first.toString())).toMatchObject({ type: 'next', payload: { data: {} } });
  } finally {
    socket.terminate();
  }
}

const init = '{"type":"connection_init"}';
const subscribe = (id: string, query = 'subscription { ticked }', more = '') =>
  `{"type":"subscribe","id":${JSON.stringify(id)},"payload":{"query":${JSON.stringify(query)}${more}}}`;
const deep = (levels: number) => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`;

/** Messages, and the code with which the connection is closed; 0 for one that goes on. */
const messages: [string, (string | Buffer)[], number][] = [
  ['a subscription before the beginning', [subscribe('1')], 4401],
  ['two beginnings', [init, init], 4429],
  ['nothing', [], 4408],
  ['no JSON', ['{'], 4400],
  ['null', ['null'], 4400],
  ['a list', ['[]'], 4400],
  ['a type that there is not', ['{"type":"__proto__"}'], 4400],
  ['a type that is an object', ['{"type":{}}'], 4400],
  ['bytes', [Buffer.from([0, 255, 254])], 4400],
  ['a beginning as bytes', [Buffer.from(init)], 0],
  ['the same id twice', [init, subscribe('1'), subscribe('1')], 4409],
  ['an id that all objects have', [init, subscribe('constructor')], 0],
  ['the id of the prototype', [init, subscribe('__proto__')], 0],
  ['no id', [init, '{"type":"subscribe","payload":{"query":"{ name }"}}'], 4400],
  ['an id that is empty', [init, subscribe('')], 4400],
  ['an id of half a message', [init, subscribe('x'.repeat(60_000), '{ name }')], 0],
  ['no payload', [init, '{"type":"subscribe","id":"1"}'], 4400],
  ['a payload that is a list', [init, '{"type":"subscribe","id":"1","payload":[]}'], 4400],
  ['a query that is an object', [init, '{"type":"subscribe","id":"1","payload":{"query":{}}}'], 4400],
  ['variables that are a text', [init, subscribe('1', '{ name }', ',"variables":"x"')], 4400],
  [
    'variables as deep as the message',
    [init, subscribe('1', '{ name }', `,"variables":${deep(5_000)}`)],
    4400,
  ],
  [
    'extensions as deep as the message',
    [init, subscribe('1', '{ name }', `,"extensions":${deep(5_000)}`)],
    4400,
  ],
  ['parameters as deep as the message', [`{"type":"connection_init","payload":${deep(5_000)}}`], 4400],
  ['parameters that are a list', ['{"type":"connection_init","payload":[]}'], 4400],
  ['headers that are none', ['{"type":"connection_init","payload":{"headers":"x","authorization":{}}}'], 0],
  [
    'a token without sense',
    ['{"type":"connection_init","payload":{"authorization":"Bearer \\u0000"}}'],
    4403,
  ],
  ['a document as deep as it may be', [init, subscribe('1', '{ name '.repeat(5_000))], 0],
  [
    'the end of what has not begun',
    [init, '{"type":"complete","id":"constructor"}', '{"type":"complete","id":"__proto__"}'],
    0,
  ],
  ['answers that only servers give', [init, '{"type":"next","id":"1","payload":{}}'], 4400],
  [
    'pings with anything',
    [init, `{"type":"ping","payload":${deep(5_000)}}`, '{"type":"pong","payload":{"authorization":1}}'],
    4400,
  ],
  ['a message that is too large', [init, 'x'.repeat(100_000)], 1009],
];

describe('a WebSocket', () => {
  test.each(messages)('of a client that sends %s', async (_what, sent, expected) => {
    const socket = new WebSocket(address(), 'graphql-transport-ws');
    const closed = once(socket, 'close') as Promise<[number, Buffer]>;
    await once(socket, 'open');
    const [first, ...others] = sent;
    if (first !== undefined) socket.send(first);
    if (first === init) await once(socket, 'message');
    for (const each of others) socket.send(each);
    // One that goes on is one that is still open when an honest client has got its event.
    const goesOn = expectHonestEvents().then(() => delay(expected === 0 ? 300 : closeMs, [0] as const));
    const [code] = await Promise.race([closed, goesOn]);
    socket.terminate();
    expect(code).toBe(expected);
  });

  test.each(['other', 'graphql-ws'])('for the protocol %s is closed', async protocol => {
    const socket = new WebSocket(address(), protocol);
    socket.on('error', () => {});
    const code = await new Promise<number>(resolve => socket.once('close', resolve));
    expect([1006, 4406]).toContain(code);
    await expectHonestEvents();
  });
});

/** Opens a WebSocket by hand, to speak what no library does. */
async function upgrade(
  headers: string,
): Promise<{ socket: Socket; received: () => string; closed: Promise<unknown> }> {
  const socket = connect(Number(new URL(front.graphUrl).port), '127.0.0.1');
  let text = '';
  socket.on('data', data => {
    text += data.toString('latin1');
  });
  socket.on('error', () => {});
  const closed = once(socket, 'close');
  await once(socket, 'connect');
  socket.write(
    `GET /graphql HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n${headers}\r\n`,
  );
  return { socket, received: () => text, closed };
}

function frame(first: number, payload: Buffer, { length = payload.length, isMasked = true } = {}): Buffer {
  const head = Buffer.alloc(10);
  head[0] = first;
  head[1] = (isMasked ? 0x80 : 0) | 127;
  head.writeBigUInt64BE(BigInt(length), 2);
  return Buffer.concat(isMasked ? [head, Buffer.alloc(4), payload] : [head, payload]);
}

const protocol = 'Sec-WebSocket-Protocol: graphql-transport-ws\r\n';

describe('a WebSocket of a client that speaks bytes', () => {
  test.each<[string, (socket: Socket) => void]>([
    ['a frame without a mask', socket => socket.write(frame(0x81, Buffer.from(init), { isMasked: false }))],
    ['a frame of a kind that there is not', socket => socket.write(frame(0x83, Buffer.alloc(1)))],
    ['reserved bits', socket => socket.write(frame(0xf1, Buffer.from(init)))],
    ['a continuation of nothing', socket => socket.write(frame(0x80, Buffer.from(init)))],
    [
      'a length of all that there is',
      socket => socket.write(frame(0x81, Buffer.alloc(1), { length: Number.MAX_SAFE_INTEGER })),
    ],
    ['a reason of a megabyte', socket => socket.write(frame(0x88, Buffer.alloc(1_000_000)))],
    ['a reason that is no UTF-8', socket => socket.write(frame(0x88, Buffer.from([3, 232, 255, 254])))],
    ['a text that is no UTF-8', socket => socket.write(frame(0x81, Buffer.from([0xff, 0xfe])))],
    ['a ping of a megabyte', socket => socket.write(frame(0x89, Buffer.alloc(1_000_000)))],
    [
      'fragments of a megabyte',
      socket => {
        socket.write(frame(0x01, Buffer.alloc(1_000)));
        for (let count = 0; count < 1_000; count += 1) socket.write(frame(0x00, Buffer.alloc(1_000)));
      },
    ],
    [
      'fragments without an end, and then nothing',
      socket => {
        socket.write(frame(0x01, Buffer.from(init)));
        for (let count = 0; count < 1_000; count += 1) socket.write(frame(0x00, Buffer.alloc(0)));
      },
    ],
    ['half of a frame', socket => socket.write(Buffer.from([0x81, 0xfe, 0xff]))],
  ])('%s is closed', async (_what, speak) => {
    const { socket, received, closed } = await upgrade(protocol);
    await vi.waitFor(() => expect(received()).toMatch(/^HTTP\/1.1 101/), { timeout: 2_000 });
    speak(socket);
    await expectHonestEvents();
    await Promise.race([closed, delay(closeMs).then(() => Promise.reject(new Error('It is still open')))]);
  });

  test('gets no compression, whatever it offers', async () => {
    const { socket, received } = await upgrade(
      `${protocol}Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=99, permessage-deflate; server_max_window_bits=8\r\n`,
    );
    await vi.waitFor(() => expect(received()).toMatch(/\r\n\r\n/), { timeout: 2_000 });
    expect(received()).toMatch(/^HTTP\/1.1 (101|400)/);
    expect(received()).not.toMatch(/sec-websocket-extensions/i);
    socket.destroy();
    await expectHonestEvents();
  });

  test.each([
    ['an offer without sense', `${protocol}Sec-WebSocket-Extensions: ;;;,=\r\n`],
    ['protocols without sense', 'Sec-WebSocket-Protocol: ,,,;;\r\n'],
    ['a second key', `${protocol}Sec-WebSocket-Key: x\r\n`],
  ])('%s is answered', async (_what, headers) => {
    const { socket, received } = await upgrade(headers);
    await vi.waitFor(() => expect(received()).toMatch(/^HTTP\/1.1 (101|400)/), { timeout: 2_000 });
    socket.destroy();
    await expectHonestEvents();
  });
});

test('none of it is an error of the gateway', () => {
  expect(front.log('gateway').match(/.*"level":"(error|fatal)".*/g) ?? []).toEqual([]);
});
