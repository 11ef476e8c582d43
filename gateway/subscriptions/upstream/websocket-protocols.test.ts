import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { passEvent, refusalOf } from './results.ts';
import type { UpstreamSink } from './sink.ts';
import { webSocketProtocols } from './websocket-protocols.ts';

const type = fc.constantFrom(
  'connection_ack',
  'connection_error',
  'ping',
  'pong',
  'next',
  'data',
  'error',
  'complete',
  'ka',
  'subscribe',
  '__proto__',
);
const payload = fc.oneof(
  fc.jsonValue(),
  fc.record(
    { data: fc.jsonValue(), errors: fc.jsonValue(), extensions: fc.jsonValue() },
    { requiredKeys: [] },
  ),
  fc.array(
    fc.record(
      { message: fc.oneof(fc.string(), fc.jsonValue()), extensions: fc.jsonValue() },
      { requiredKeys: [] },
    ),
  ),
);
const message = fc.oneof(
  fc.string(),
  fc.json(),
  fc
    .record(
      { type: fc.oneof(type, fc.jsonValue()), id: fc.oneof(fc.string(), fc.jsonValue()), payload },
      { requiredKeys: ['type'] },
    )
    .map(each => JSON.stringify(each)),
);

describe.each(webSocketProtocols)('messages of an instance over $name', ({ read }) => {
  test('of any kind are what the protocol has, or are refused', () => {
    const ignore = () => {};
    const sink: UpstreamSink = {
      opened: ignore,
      completed: ignore,
      refused: ignore,
      lost: ignore,
      start: cursor => expect(cursor).toBeTypeOf('string'),
      event({ data, errors, extensions }) {
        for (const each of [data ?? {}, errors ?? [], extensions ?? {}]) expect(each).toBeTypeOf('object');
      },
    };
    fc.assert(
      fc.property(message, text => {
        try {
          const found = read(text);
          if (found.kind === 'event') passEvent(found.event, sink);
          if (found.kind === 'refused')
            expect(refusalOf('prices', found.errors).message).toBeTypeOf('string');
        } catch (error) {
          expect(error).toBeInstanceOf(Error);
        }
      }),
      { numRuns: 1_000 },
    );
  });
});
