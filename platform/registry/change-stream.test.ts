import { Readable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type RegistryEvent, readChangeStream } from './change-stream.ts';
import { anyHost } from './host.ts';
import type { EventStream } from './registry-calls.ts';

const instance = {
  instanceId: 'i',
  hostName: '10.0.0.5',
  app: 'products',
  status: 'UP',
  port: { $: 1 },
  actionType: 'ADDED',
};

/** Reads a stream that has these bytes, in chunks of a size. @returns the events, and how it ended */
async function read(bytes: Buffer, chunkSize: number) {
  const events: RegistryEvent[] = [];
  const chunks = Array.from({ length: Math.ceil(bytes.length / chunkSize) }, (_, index) =>
    bytes.subarray(index * chunkSize, (index + 1) * chunkSize),
  );
  const ended = await readChangeStream({
    open: () => Promise.resolve({ url: '', body: Readable.from(chunks) } as unknown as EventStream),
    signal: new AbortController().signal,
    hosts: anyHost,
    onEvent: event => events.push(event),
  }).catch((error: unknown) => {
    expect(error).toBeInstanceOf(Error);
    return error as Error;
  });
  return { events, ended };
}

const frame = (event: string, data: unknown) => `event: ${event}\nid: 1\ndata: ${JSON.stringify(data)}\n\n`;

describe('a change stream', () => {
  test('is read the same however it is cut', async () => {
    const text = [
      frame('registry', { complete: false }),
      frame('snapshot', {
        applications: { application: [{ instance: [{ ...instance, instanceId: 'ü' }] }] },
      }),
      frame('change', { instance }),
      frame('newer', {}),
    ].join('');
    const { events } = await read(Buffer.from(text), text.length);
    expect(events.map(({ kind }) => kind)).toEqual(['snapshot', 'change']);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 50 }), async size => {
        expect((await read(Buffer.from(text), size)).events).toEqual(events);
      }),
      { numRuns: 20 },
    );
  });

  test('of anything at all ends with an error, and not otherwise', async () => {
    const part = fc.oneof(
      fc.uint8Array().map(Buffer.from),
      fc
        .tuple(
          fc.constantFrom('registry', 'snapshot', 'change', 'x'),
          fc.oneof(fc.jsonValue(), fc.record({ instance: fc.jsonValue() }), fc.constant({ instance })),
        )
        .map(([event, data]) => Buffer.from(frame(event, data))),
      fc
        .constantFrom('data: {', '\n\n', '\r', ':', 'event: change\n', 'data: null\n\n')
        .map(each => Buffer.from(each)),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(part), fc.integer({ min: 1, max: 200 }), async (parts, size) => {
        expect((await read(Buffer.concat(parts), size)).ended).toBeInstanceOf(Error);
      }),
    );
  });

  test('with an event that does not end is given up', async () => {
    const megabyte = Buffer.alloc(1024 * 1024, 'x');
    let sent = 0;
    const endless = Readable.from(
      (function* () {
        for (; sent < 400; sent += 1) yield megabyte;
      })(),
    );
    const reading = readChangeStream({
      open: () => Promise.resolve({ url: '', body: endless } as unknown as EventStream),
      signal: new AbortController().signal,
      hosts: anyHost,
      onEvent: () => {},
    });
    await expect(reading).rejects.toThrow(/max buffer size/);
    expect(sent).toBeLessThan(300);
  });
});
