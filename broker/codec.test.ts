import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { InvalidRequestError, Reader, Writer } from './codec.ts';

describe('the codec', () => {
  test('reads back what it wrote', () => {
    const written = new Writer()
      .boolean(true)
      .int8(-128)
      .int16(-32_768)
      .int32(2 ** 31 - 1)
      .int64(Number.MAX_SAFE_INTEGER)
      .int64(-1)
      .string('größer')
      .string(null)
      .bytes(Buffer.from([0, 255]))
      .array(['a', 'b'], item => item.length);
    const reader = new Reader(written.toBuffer());
    expect(reader.boolean()).toBe(true);
    expect(reader.int8()).toBe(-128);
    expect(reader.int16()).toBe(-32_768);
    expect(reader.int32()).toBe(2 ** 31 - 1);
    expect(reader.int64()).toBe(Number.MAX_SAFE_INTEGER);
    expect(reader.int64()).toBe(-1);
    expect(reader.string()).toBe('größer');
    expect(reader.nullableString()).toBeNull();
    expect(reader.bytes()).toEqual(Buffer.from([0, 255]));
    expect(reader.int32()).toBe(2);
  });

  test('writes numbers in network order and strings after their length in bytes', () => {
    const bytes = new Writer().int32(258).string('ü').toBuffer();
    expect(bytes).toEqual(Buffer.from([0, 0, 1, 2, 0, 2, 0xc3, 0xbc]));
  });

  test('reads an array item by item, and tells a null array from an empty one', () => {
    const writer = new Writer();
    writer.array([7, 8], item => writer.int16(item));
    const reader = new Reader(writer.toBuffer());
    expect(reader.array(() => reader.int16())).toEqual([7, 8]);
    expect(new Reader(new Writer().int32(-1).toBuffer()).nullableArray(() => 0)).toBeNull();
    expect(new Reader(new Writer().int32(0).toBuffer()).nullableArray(() => 0)).toEqual([]);
  });

  const field = fc.oneof(
    fc.record({ type: fc.constant('boolean' as const), value: fc.boolean() }),
    fc.record({ type: fc.constant('int8' as const), value: fc.integer({ min: -128, max: 127 }) }),
    fc.record({ type: fc.constant('int16' as const), value: fc.integer({ min: -32_768, max: 32_767 }) }),
    fc.record({ type: fc.constant('int32' as const), value: fc.integer() }),
    fc.record({ type: fc.constant('int64' as const), value: fc.maxSafeInteger() }),
    fc.record({
      type: fc.constant('nullableString' as const),
      value: fc.option(fc.string({ unit: 'binary' })),
    }),
    fc.record({ type: fc.constant('bytes' as const), value: fc.uint8Array().map(Buffer.from) }),
  );

  test('reads back whatever was written', () => {
    fc.assert(
      fc.property(fc.array(field), fields => {
        const writer = new Writer();
        for (const { type, value } of fields)
          if (type === 'nullableString') writer.string(value);
          else writer[type](value as never);
        const reader = new Reader(writer.toBuffer());
        expect(fields.map(({ type }) => reader[type]())).toEqual(fields.map(({ value }) => value));
      }),
    );
  });

  test('reads an array that lies about its length without the memory for it', () => {
    const length = 30_000_000;
    const bytes = Buffer.alloc(4 + length);
    bytes.writeInt32BE(length);
    const before = process.memoryUsage().heapUsed;
    let taken = 0;
    const readFirst = () => {
      taken = process.memoryUsage().heapUsed - before;
      throw new InvalidRequestError('it is none');
    };
    expect(() => new Reader(bytes).array(readFirst)).toThrow('it is none');
    expect(taken).toBeLessThan(length);
  });

  test.each<[string, Buffer, (reader: Reader) => unknown]>([
    ['a number past the end', Buffer.alloc(3), reader => reader.int32()],
    [
      'a string longer than what is left',
      new Writer().int16(5).int32(0).toBuffer(),
      reader => reader.string(),
    ],
    [
      'a string of an impossible length',
      new Writer().int16(-2).toBuffer(),
      reader => reader.nullableString(),
    ],
    ['no string where one is required', new Writer().string(null).toBuffer(), reader => reader.string()],
    ['bytes longer than what is left', new Writer().int32(2 ** 30).toBuffer(), reader => reader.bytes()],
    [
      'an array longer than what is left',
      new Writer().int32(2 ** 30).toBuffer(),
      reader => reader.array(() => 0),
    ],
    ['an array of an impossible length', new Writer().int32(-5).toBuffer(), reader => reader.array(() => 0)],
    ['a string that is no UTF-8', Buffer.from([0, 2, 0xc3, 0x28]), reader => reader.string()],
    ['a number of more than 53 bits', Buffer.alloc(8, 0x7f), reader => reader.int64()],
  ])('refuses %s', (_, bytes, read) => {
    expect(() => read(new Reader(bytes))).toThrow(InvalidRequestError);
  });
});
