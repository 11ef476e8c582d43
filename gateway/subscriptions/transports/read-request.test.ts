import fc from 'fast-check';
import type { FastifyRequest } from 'fastify';
import { describe, expect, test } from 'vitest';
import { RefusedOperation } from '../operation.ts';
import { readRequest } from './read-request.ts';

const read = (request: Partial<FastifyRequest>) => readRequest(request as FastifyRequest);
const get = (search: string) =>
  read({ method: 'GET', query: Object.fromEntries(new URLSearchParams(search)) });

describe('an operation', () => {
  test('is read from a body, and from the parameters of a URL', () => {
    const request = { query: '{ a }', operationName: 'A', variables: { b: [1] } };
    expect(read({ method: 'POST', body: request })).toEqual(request);
    expect(get('query={ a }&operationName=A&variables={"b":[1]}')).toEqual(request);
  });

  test('of any shape is read, or is refused for its shape in few words', () => {
    const names = fc.constantFrom(
      'query',
      'operationName',
      'variables',
      'extensions',
      '__proto__',
      'constructor',
    );
    const json = fc.oneof(
      fc.jsonValue(),
      fc.constantFrom('{', '{"a":1}', '[]', 'null', '{"__proto__":{"a":1}}', '{ a }'),
      fc.constant('['.repeat(50_000)),
      fc.constant(`{"a":${'['.repeat(50_000)}${']'.repeat(50_000)}}`),
    );
    const given = fc.oneof(
      json,
      fc.array(fc.tuple(names, json)).map(entries => Object.fromEntries([['query', '{ a }'], ...entries])),
    );
    fc.assert(
      fc.property(given, fc.constantFrom('GET', 'POST'), (value, method) => {
        try {
          const { query, variables } = read({ method, query: value, body: value });
          expect(query).toBeTypeOf('string');
          if (variables) expect([Object.prototype, null]).toContain(Object.getPrototypeOf(variables));
        } catch (error) {
          expect(error).toBeInstanceOf(RefusedOperation);
          expect((error as Error).message.length).toBeLessThan(2_000);
        }
      }),
      { numRuns: 300 },
    );
  });
});
