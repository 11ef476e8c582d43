import { validateHeaderValue } from 'node:http';
import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createLogger } from './log.ts';
import { currentTrace, readTraceContext, runInTrace, traceIdOf } from './trace-context.ts';

const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

test('a trace is read with the state that belongs to it', () => {
  expect(readTraceContext({ traceparent, tracestate: 'a=1,b=2' })).toEqual({
    traceparent,
    tracestate: 'a=1,b=2',
  });
  expect(readTraceContext({ traceparent, tracestate: ['a=1', 'b=2'] })?.tracestate).toBe('a=1,b=2');
});

test('a trace of a later version is passed on', () => {
  const later = `01${traceparent.slice(2)}-more`;
  expect(readTraceContext({ traceparent: later })).toEqual({ traceparent: later });
});

test.each([
  ['nothing', undefined],
  ['a trace id of zeros', `00-${'0'.repeat(32)}-b7ad6b7169203331-01`],
  ['a parent id of zeros', `00-0af7651916cd43dd8448eb211c80319c-${'0'.repeat(16)}-01`],
  ['version ff', `ff${traceparent.slice(2)}`],
  ['capitals', traceparent.toUpperCase()],
  ['something else', 'hello'],
  ['more than version 00 has', `${traceparent}-more`],
])('%s is no trace, and neither is the state beside it', (_case, value) => {
  expect(readTraceContext({ traceparent: value, tracestate: 'a=1' })).toBeUndefined();
});

test('a state that is too long is dropped, and the trace kept', () => {
  expect(readTraceContext({ traceparent, tracestate: `a=${'x'.repeat(511)}` })).toEqual({ traceparent });
});

test('what runs in a trace knows it after waiting, and what runs beside it does not', async () => {
  const seen = runInTrace({ traceparent }, async () => {
    await setImmediate();
    return currentTrace();
  });
  expect(currentTrace()).toBeUndefined();
  expect(await seen).toEqual({ traceparent });
});

test('each line that is logged in a trace has its id', () => {
  const lines: Record<string, unknown>[] = [];
  const log = createLogger('test', {
    destination: { write: line => void lines.push(JSON.parse(line) as Record<string, unknown>) },
  });
  runInTrace({ traceparent }, () => log.info('in it'));
  log.info('beside it');
  expect(lines).toMatchObject([{ msg: 'in it', traceId: traceIdOf({ traceparent }) }, { msg: 'beside it' }]);
  expect(lines[1]).not.toHaveProperty('traceId');
});

test('whatever comes, what is read of it may be a header, and is bounded', () => {
  const text = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ minLength: 500, maxLength: 2_000 }));
  const parent = fc.tuple(fc.constantFrom('00', '01', 'fe'), fc.constantFrom('', '-'), text);
  const given = fc.record({
    traceparent: fc.oneof(
      parent.map(([version, dash, more]) => `${version}${traceparent.slice(2)}${dash}${more}`),
      text,
    ),
    tracestate: fc.oneof(text, fc.array(text)),
  });
  fc.assert(
    fc.property(given, headers => {
      const trace = readTraceContext(headers);
      for (const [name, value] of Object.entries(trace ?? {})) {
        validateHeaderValue(name, value);
        expect(value.length).toBeLessThanOrEqual(512);
      }
      if (trace) expect(readTraceContext({ ...trace })).toEqual(trace);
    }),
    {
      numRuns: 500,
      examples: [
        [{ traceparent: `01${traceparent.slice(2)}-\u0001`, tracestate: '' }],
        [{ traceparent: `01${traceparent.slice(2)}-${'a'.repeat(1_000)}`, tracestate: '' }],
        [{ traceparent, tracestate: 'a=\u0100' }],
      ],
    },
  );
});
