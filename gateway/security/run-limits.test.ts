import { Registry } from 'prom-client';
import { describe, expect, test } from 'vitest';
import { countRefused } from './operation-limits.ts';
import { limitRuns } from './run-limits.ts';

function start() {
  const metrics = new Registry();
  const limits = limitRuns(
    {
      OPERATION_MAX_VARIABLE_DEPTH: 3,
      OPERATION_MAX_VARIABLE_VALUES: 10,
      OPERATION_MAX_ERRORS: 10,
      OPERATION_MAX_ANSWER_BYTES: 1_024,
    },
    countRefused(metrics),
  );
  return { limits, metrics };
}

const nested = (depth: number): unknown => (depth === 0 ? 1 : [nested(depth - 1)]);

describe('variables', () => {
  test.each<[string, Record<string, unknown>]>([
    ['none', {}],
    ['as deep as they may be', { a: nested(3) }],
    ['as many as they may be', { a: Array.from({ length: 9 }, (_, n) => n) }],
    ['null', { a: null }],
  ])('that are %s are taken', (_case, variables) => {
    expect(start().limits.checkVariables(variables)).toBeUndefined();
  });

  test.each<[string, string, Record<string, unknown>]>([
    ['deeper than they may be', 'MAX_VARIABLE_DEPTH_LIMIT', { a: nested(4) }],
    [
      'deeper than a stack',
      'MAX_VARIABLE_DEPTH_LIMIT',
      { a: JSON.parse(`${'['.repeat(100_000)}${']'.repeat(100_000)}`) },
    ],
    ['more than they may be', 'MAX_VARIABLE_VALUES_LIMIT', { a: Array.from({ length: 10 }, (_, n) => n) }],
    [
      'more in several lists',
      'MAX_VARIABLE_VALUES_LIMIT',
      {
        a: [
          [1, 2, 3],
          [4, 5, 6],
        ],
        b: [7, 8],
      },
    ],
  ])('that are %s are refused with %s', async (_case, code, variables) => {
    const { limits, metrics } = start();
    const refusal = limits.checkVariables(variables);
    expect(refusal?.extensions).toMatchObject({ code, http: { status: 400 } });
    expect(refusal?.message).toMatch(/more than (3|10) values.*OPERATION_MAX_VARIABLE/);
    expect(await metrics.metrics()).toContain(`gateway_operations_refused_total{limit="${code}"} 1`);
  });
});
