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

  test('of the largest size that is allowed are read', async () => {
    const text = 'x'.repeat(100);
    expect(await collect(inChunks(framed(text), 64))).toEqual([text]);
  });
});
