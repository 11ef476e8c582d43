import type { FastifyRequest } from 'fastify';
import { describe, expect, test } from 'vitest';
import { streamFormatOf } from './http-streams.ts';

const formatOf = (accept?: string) =>
  streamFormatOf({ headers: accept === undefined ? {} : { accept } } as FastifyRequest);

describe('the format of a stream', () => {
  test.each([
    ['text/event-stream', 'sse'],
    ['application/json, text/event-stream', 'sse'],
    ['multipart/mixed;boundary="graphql";subscriptionSpec="1.0", application/json', 'multipart'],
    ['multipart/mixed, application/json', undefined],
    ['application/json', undefined],
    [undefined, undefined],
  ])('that the header Accept asks for with %s is %s', (accept, transport) => {
    expect(formatOf(accept)?.transport).toBe(transport);
  });

  test('of Server-Sent Events has an event for each result, and one at the end', () => {
    const format = formatOf('text/event-stream');
    expect(format?.result({ data: { a: 1 } })).toBe('event: next\ndata: {"data":{"a":1}}\n\n');
    expect(format?.closing).toBe('event: complete\ndata: \n\n');
    expect(format?.failed([{ message: 'no' }])).toBe(
      'event: next\ndata: {"errors":[{"message":"no"}]}\n\nevent: complete\ndata: \n\n',
    );
    // Without an event, a client opens the stream again.
    expect(format?.leaving([{ message: 'later' }])).toBe('');
  });

  test('of multipart responses has a part for each result, with its boundary behind it', () => {
    const format = formatOf('multipart/mixed;subscriptionSpec=1.0');
    const header = '\r\ncontent-type: application/json\r\n\r\n';
    expect(format?.opening).toBe('\r\n--graphql');
    expect(format?.result({ data: null })).toBe(`${header}{"payload":{"data":null}}\r\n--graphql`);
    expect(format?.heartbeat).toBe(`${header}{}\r\n--graphql`);
    expect(format?.failed([{ message: 'no' }])).toBe(
      `${header}{"payload":null,"errors":[{"message":"no"}]}\r\n--graphql--\r\n`,
    );
  });
});
