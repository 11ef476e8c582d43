import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { Reader, Writer } from './codec.ts';
import { readFrames } from './connection.ts';
import { ErrorCode } from './errors.ts';
import { type Broker, type BrokerOptions, PortTakenError, startBroker } from './server.ts';
import { makeBatch, makeTempDir } from './testing.ts';

const produce = 0;
const metadata = 3;
const apiVersions = 18;

async function startTestBroker(
  options: Partial<BrokerOptions> = {},
): Promise<{ broker: Broker; lines: string[] }> {
  const lines: string[] = [];
  const dataDir = await makeTempDir();
  const broker = await startBroker({ port: 0, dataDir, log: line => lines.push(line), ...options });
  onTestFinished(() => broker.close());
  return { broker, lines };
}

/** Connects a client that speaks bytes. */
async function connectClient({ port }: Broker) {
  const socket: Socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  onTestFinished(() => void socket.destroy());
  const responses = readFrames(socket, 10_000_000);
  return {
    socket,
    send: (body: Buffer) => socket.write(new Writer().bytes(body).toBuffer()),
    /** Reads the next response; nothing when the broker closed the connection. */
    async receive(): Promise<{ correlationId: number; body: Reader } | undefined> {
      const { value } = await responses.next().catch(() => ({ value: undefined }));
      const body = value && new Reader(value);
      return body && { correlationId: body.int32(), body };
    },
  };
}

const header = (key: number, version: number, correlationId = 1) =>
  new Writer().int16(key).int16(version).int32(correlationId).string('test');

const metadataRequest = (correlationId: number) =>
  header(metadata, 4, correlationId).int32(0).boolean(false).toBuffer();

/** Asks for the metadata of no topic, to see that the broker still answers. */
async function expectToAnswer(broker: Broker): Promise<void> {
  const client = await connectClient(broker);
  client.send(metadataRequest(7));
  expect((await client.receive())?.correlationId).toBe(7);
  client.socket.destroy();
}

const readVersions = (body: Reader) => body.array(() => [body.int16(), body.int16(), body.int16()]);

/** Asks for the key, the oldest and the newest version of each API that is spoken. */
async function askVersions(broker: Broker): Promise<number[][]> {
  const client = await connectClient(broker);
  client.send(header(apiVersions, 0).toBuffer());
  const { body } = (await client.receive()) ?? {};
  body?.int16();
  return body ? readVersions(body) : [];
}

describe('ApiVersions', () => {
  test.each([0, 1, 2])('of version %i tells what is spoken', async version => {
    const { broker } = await startTestBroker();
    const client = await connectClient(broker);
    client.send(header(apiVersions, version).toBuffer());
    const { body } = (await client.receive()) ?? {};
    expect(body?.int16()).toBe(ErrorCode.NONE);
    expect(body && readVersions(body)).toContainEqual([produce, 3, 7]);
  });

  test('of a version that is not spoken is answered in the oldest form, and the connection goes on', async () => {
    const { broker } = await startTestBroker();
    const client = await connectClient(broker);
    client.send(header(apiVersions, 3).int8(0).raw(Buffer.from('\x05name\x02v\0')).toBuffer());
    const { body } = (await client.receive()) ?? {};
    expect(body?.int16()).toBe(ErrorCode.UNSUPPORTED_VERSION);
    expect(body && readVersions(body)).toContainEqual([apiVersions, 0, 2]);
    client.send(metadataRequest(2));
    expect((await client.receive())?.correlationId).toBe(2);
  });
});

describe('a connection', () => {
  test.each<[string, Buffer, RegExp]>([
    [
      'a size that is too large',
      new Writer().int32(2 ** 30).toBuffer(),
      /must have 1 to 1000 bytes; this one has 1073741824/,
    ],
    ['a negative size', new Writer().int32(-1).toBuffer(), /must have 1 to 1000 bytes; this one has -1/],
    ['an API that there is not', new Writer().bytes(header(99, 0).toBuffer()).toBuffer(), /API 99 version 0/],
    [
      'a version that is not spoken',
      new Writer().bytes(header(metadata, 9).toBuffer()).toBuffer(),
      /Metadata version 9/,
    ],
    [
      'a request that ends too early',
      new Writer().bytes(header(metadata, 4).toBuffer()).toBuffer(),
      /has 4 bytes, but/,
    ],
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\n\r\n'), /this one has 1195725856/],
  ])('with %s is closed with one line that names the client and the reason', async (_, bytes, reason) => {
    const { broker, lines } = await startTestBroker({ maxRequestBytes: 1000 });
    const client = await connectClient(broker);
    client.socket.write(bytes);
    expect(await client.receive()).toBeUndefined();
    expect(lines).toEqual([expect.stringMatching(/^closed the connection of 127\.0\.0\.1:\d+: /)]);
    expect(lines[0]).toMatch(reason);
    await expectToAnswer(broker);
  });

  test('gets its answers in the order of its requests, and none to a produce that wants none', async () => {
    const { broker } = await startTestBroker();
    const client = await connectClient(broker);
    const acks = 0;
    const request = header(produce, 7, 1).string(null).int16(acks).int32(1000);
    request.int32(1).string('topic').int32(1).int32(0).bytes(makeBatch());
    client.send(request.toBuffer());
    for (const correlationId of [2, 3, 4]) client.send(metadataRequest(correlationId));
    for (const correlationId of [2, 3, 4])
      expect((await client.receive())?.correlationId).toBe(correlationId);
  });

  test('that breaks off in the middle of a request is dropped without a word', async () => {
    const { broker, lines } = await startTestBroker();
    const client = await connectClient(broker);
    client.socket.end(new Writer().int32(100).int32(1).toBuffer());
    expect(await client.receive()).toBeUndefined();
    expect(lines).toEqual([]);
  });

  test.each([1, 2, 3])(
    'with any nonsense never ends the broker nor shows a fault in it (seed %i)',
    async seed => {
      const { broker, lines } = await startTestBroker();
      const random = (below: number) => {
        seed = (seed * 48_271) % 2_147_483_647;
        return seed % below;
      };
      const spoken = await askVersions(broker);
      for (let round = 0; round < 300; round++) {
        const [key = 0, oldest = 0, newest = 0] = spoken[random(spoken.length)] ?? [];
        const request = header(key, oldest + random(newest - oldest + 1));
        for (let field = random(12); field > 0; field--)
          request.int16(random(4) === 0 ? random(65_536) - 32_768 : random(3));

        const client = await connectClient(broker);
        client.socket.end(new Writer().bytes(request.toBuffer()).toBuffer());
        while (await client.receive());
      }
      await expectToAnswer(broker);
      const faults = lines.filter(
        line => !/^closed .*(must have|must not be null|must be UTF-8|are left|is not spoken)/.test(line),
      );
      expect(faults).toEqual([]);
    },
  );
});

describe('the broker', () => {
  test('tells the address that it was given to advertise', async () => {
    const { broker } = await startTestBroker({ advertisedHost: 'kafka.example', advertisedPort: 19_092 });
    const client = await connectClient(broker);
    client.send(metadataRequest(1));
    const { body } = (await client.receive()) ?? {};
    body?.int32();
    expect(body?.array(() => [body.int32(), body.string(), body.int32(), body.nullableString()])).toEqual([
      [1, 'kafka.example', 19_092, null],
    ]);
  });

  test('does not touch its data when the port is taken', async () => {
    const { broker } = await startTestBroker();
    const dataDir = join(await makeTempDir(), 'data');
    await expect(startBroker({ port: broker.port, dataDir })).rejects.toThrow(PortTakenError);
    await expect(readdir(dataDir)).rejects.toThrow('ENOENT');
  });

  test('does not share its data with another', async () => {
    const dataDir = await makeTempDir();
    const { broker } = await startTestBroker({ dataDir });
    await expect(startBroker({ port: 0, dataDir })).rejects.toThrow(
      `is used by the embedded broker on 127.0.0.1:${broker.port}`,
    );
    await broker.close();
    const { broker: next } = await startTestBroker({ dataDir });
    await expectToAnswer(next);
  });

  test('takes over what a killed one left, whatever process has its id and its port now', async () => {
    const dataDir = await makeTempDir();
    const path = JSON.stringify(join(dataDir, 'lock.sock'));
    const listen = `require('node:net').createServer().listen(${path}, () => console.log('listening'))`;
    const killed = spawn(process.execPath, ['--eval', listen], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(killed.stdout, 'data');
    killed.kill('SIGKILL');
    await once(killed, 'exit');
    expect(await readdir(dataDir)).toEqual(['lock.sock']);
    const { broker } = await startTestBroker({ dataDir });
    await expectToAnswer(broker);
  });

  test('locks a directory whose path is longer than that of a socket may be', async () => {
    const dataDir = join(await makeTempDir(), 'd'.repeat(120));
    const { broker } = await startTestBroker({ dataDir });
    if (process.platform === 'linux') expect(await readdir(dataDir)).toContain('lock.sock');
    await expect(startBroker({ port: 0, dataDir })).rejects.toThrow(
      `is used by the embedded broker on 127.0.0.1:${broker.port}`,
    );
    await broker.close();
    const { broker: next } = await startTestBroker({ dataDir });
    await expectToAnswer(next);
  });

  test('frees its port and ends its connections when it cannot open its data', async () => {
    const { broker } = await startTestBroker();
    const { port } = broker;
    await broker.close();
    const file = join(import.meta.dirname, 'server.test.ts');
    await expect(startBroker({ port, dataDir: file })).rejects.toThrow('EEXIST');
    const { broker: next } = await startTestBroker({ port });
    await expectToAnswer(next);
  });

  test('closes once, however often it is told to, and ends its connections', async () => {
    const { broker } = await startTestBroker();
    const client = await connectClient(broker);
    const receive = client.receive();
    await Promise.all([broker.close(), broker.close()]);
    expect(await receive).toBeUndefined();
    await vi.waitFor(() => expect(client.socket.destroyed).toBe(true));
    await broker.close();
  });
});
