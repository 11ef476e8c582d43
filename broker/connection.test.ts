import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { InvalidRequestError, Writer } from './codec.ts';
import { readFrames } from './connection.ts';

async function* inChunks(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function collect(stream: AsyncIterable<Buffer>, maxBytes = 100): Promise<string[]> {
  const frames: string[] = [];
  for await (const frame of readFrames(stream, maxBytes)) frames.push(frame.toString());
  return frames;
}

const framed = (...texts: string[]) =>
  Buffer.concat(texts.map(text => new Writer().bytes(Buffer.from(text)).toBuffer()));

describe('frames', () => {
  test.each([1, 2, 3, 5, 7, 1000])('are the same in chunks of %i bytes', async size => {
    const texts = ['a', 'second', 'the third one'];
    expect(await collect(inChunks(framed(...texts), size))).toEqual(texts);
  });

  test('that are incomplete at the end of the stream are dropped', async () => {
    expect(await collect(inChunks(framed('whole', 'broken off').subarray(0, -1), 4))).toEqual(['whole']);
  });

  test.each([0, -1, 101, 2 ** 31 - 1])('of %i bytes are refused when 100 are allowed', async size => {
    const stream = inChunks(new Writer().int32(size).toBuffer(), 4);
    await expect(collect(stream)).rejects.toThrow(InvalidRequestError);
  });

  test('of any bytes, cut anywhere, are those that were sent, or the stream is refused', async () => {
    const sent = fc.array(
      fc.oneof(
        fc.string({ minLength: 1, maxLength: 30 }).map(text => framed(text)),
        fc.uint8Array().map(Buffer.from),
      ),
    );
    await fc.assert(
      fc.asyncProperty(sent, fc.integer({ min: 1, max: 50 }), async (pieces, size) => {
        const bytes = Buffer.concat(pieces);
        const read = (chunkSize: number) =>
          collect(inChunks(bytes, chunkSize)).catch((error: unknown) => {
            if (error instanceof InvalidRequestError) return 'refused';
            throw error;
          });
        expect(await read(size)).toEqual(await read(bytes.length || 1));
      }),
    );
  });

  test('of the largest size that is allowed are read', async () => {
    const text = 'x'.repeat(100);
    expect(await collect(inChunks(framed(text), 64))).toEqual([text]);
  });
});
