import { setImmediate } from 'node:timers/promises';
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
