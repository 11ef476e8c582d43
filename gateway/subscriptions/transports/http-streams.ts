import type { FastifyReply, FastifyRequest } from 'fastify';
import type { GraphQLError } from 'graphql';
import { type ErrorCode, PorticoError } from '../../../platform/errors.ts';
import type { GatewayConfig } from '../../config.ts';
import { type FormatError, formatResult, formatted } from '../../format.ts';
import { GatewayError } from '../../gateway-error.ts';
import { lastingHeaders, type PassedHeaders } from '../../header-rules.ts';
import type { OperationCaller } from '../../security/operation-caller.ts';
import { beginStream, streamHeaders, writePieces } from '../../stream-response.ts';
import { isLive, type LiveOperations } from '../live-operations.ts';
import type { LiveOperation } from '../live-stream.ts';
import type { LiveMetrics, Transport } from '../metrics.ts';
import { type Operation, RefusedOperation } from '../operation.ts';
import type { LiveConnections } from './connections.ts';
import { readRequest } from './read-request.ts';
import { whenTokenEnds } from './token-end.ts';

/** Format of the results in one HTTP response that goes on. */
export interface StreamFormat {
  readonly transport: Transport;
  readonly headers: Readonly<Record<string, string>>;
  readonly opening: string;
  /** Keeps proxies from closing the connection. */
  readonly heartbeat: string;
  /** Nothing more comes. */
  readonly closing: string;
  result(result: object): string;
  /** The operation has failed, and nothing more comes. */
  failed(errors: readonly object[]): string;
  /** The gateway shuts down; the client is to go on elsewhere. */
  leaving(errors: readonly object[]): string;
}

const completeEvent = 'event: complete\ndata: \n\n';
const nextEvent = (result: object) => `event: next\ndata: ${JSON.stringify(result)}\n\n`;

/**
 * GraphQL over Server-Sent Events, distinct connections mode,
 * https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md. A client opens a stream again that ends without
 * having been completed.
 */
const eventStream: StreamFormat = {
  transport: 'sse',
  headers: { 'content-type': 'text/event-stream; charset=utf-8' },
  opening: ':\n\n',
  heartbeat: ':\n\n',
  closing: completeEvent,
  result: nextEvent,
  failed: errors => nextEvent({ errors }) + completeEvent,
  leaving: () => '',
};

/**
 * Multipart subscriptions, as Apollo's clients speak them,
 * https://www.apollographql.com/docs/graphos/routing/operations/subscriptions/multipart-protocol. Each part is followed
 * by the boundary at once: a client takes a part for complete only then.
 */
const lastBoundary = '--\r\n';
const multipart: StreamFormat = {
  transport: 'multipart',
  headers: { 'content-type': 'multipart/mixed;boundary="graphql";subscriptionSpec="1.0"' },
  opening: '\r\n--graphql',
  heartbeat: part({}),
  closing: lastBoundary,
  result: payload => part({ payload }),
  failed: errors => part({ payload: null, errors }) + lastBoundary,
  leaving: errors => part({ payload: null, errors }) + lastBoundary,
};

function part(body: object): string {
  return `\r\ncontent-type: application/json\r\n\r\n${JSON.stringify(body)}\r\n--graphql`;
}

/** The stream that a request asks for by its Accept header; undefined when it asks for none. */
export function streamFormatOf({ headers }: FastifyRequest): StreamFormat | undefined {
  const accept = headers.accept ?? '';
  if (accept.includes('text/event-stream')) return eventStream;
  if (/multipart\/mixed[^,]*subscriptionSpec/i.test(accept)) return multipart;
  return undefined;
}

/** Serves operations whose results are streamed over HTTP. */
export interface HttpStreams {
  /**
   * Answers a request with a stream.
   * @returns false when the operation is a query or mutation that is better answered as any other
   * @throws PorticoError OVERLOADED or GRAPH_NOT_READY, with which the request is refused
   */
  serve(exchange: StreamExchange): Promise<boolean>;
}

/** One request that asks for a stream. */
export interface StreamExchange {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly format: StreamFormat;
  readonly caller: OperationCaller;
  /** Address of the client. */
  readonly address: string;
  /** Headers of the request that go to subgraphs. */
  readonly headers: PassedHeaders['request'];
}

interface HttpStreamsOptions {
  readonly operations: LiveOperations;
  readonly connections: LiveConnections;
  readonly formatError: FormatError;
  readonly config: Pick<GatewayConfig, 'LIVE_KEEP_ALIVE_MS'>;
  readonly metrics: LiveMetrics;
}

/** Longest time that a client that reads nothing more may hold its connection, in ms. */
const lastWordMs = 5_000;

/** Creates the server of operations over Server-Sent Events and multipart responses. */
export function createHttpStreams(options: HttpStreamsOptions): HttpStreams {
  const { operations, formatError } = options;
  return {
    async serve(exchange) {
      const { request, reply, format, caller } = exchange;
      let operation: Operation;
      try {
        operation = operations.read(readRequest(request), caller);
      } catch (error) {
        if (!(error instanceof RefusedOperation)) throw error;
        const errors = error.errors.map(each => formatted(each, formatError));
        if (format === eventStream) await answer(reply, format, { errors });
        else await reply.code(400).type('application/graphql-response+json').send(JSON.stringify({ errors }));
        return true;
      }
      if (isLive(operation)) {
        await stream(options, exchange, operation);
        return true;
      }
      if (format !== eventStream) return false;
      if (request.method === 'GET' && operation.definition.operation === 'mutation') {
        const error = errorOf('BAD_USER_INPUT', 'A mutation must be sent with POST');
        await reply
          .code(405)
          .header('allow', 'POST')
          .send({ errors: [error.toJSON()] });
        return true;
      }
      await answerOnce(options, exchange, operation);
      return true;
    },
  };
}

/** Answers a query or mutation with a stream: of its parts, or of one result. */
async function answerOnce(
  { operations, formatError }: HttpStreamsOptions,
  { reply, format, caller, address, headers }: StreamExchange,
  operation: Operation,
): Promise<void> {
  if (!operation.isDeferring) {
    const result = await operations.execute(operation, { caller, address, headers });
    await answer(reply, format, formatResult(result, formatError));
    return;
  }
  const { raw } = reply;
  const gone = new AbortController();
  raw.once('close', () => gone.abort());
  const parts = await operations.executeInParts(operation, { caller, address, headers, signal: gone.signal });
  beginStream(reply, format.headers);
  raw.write(format.opening);
  await writePieces(raw, pieces(parts, format), format.closing);
}

async function* pieces(parts: AsyncIterable<object>, format: StreamFormat): AsyncGenerator<string> {
  for await (const part of parts) yield format.result(part);
}

/** Answers with a stream of one result. */
async function answer(reply: FastifyReply, format: StreamFormat, result: object): Promise<void> {
  await reply
    .headers({ ...format.headers, ...streamHeaders })
    .send(`${format.opening}${format.result(result)}${format.closing}`);
}

/** Streams a subscription until it ends, the client goes, its token expires, or the gateway shuts down. */
async function stream(
  { operations, connections, formatError, config, metrics }: HttpStreamsOptions,
  { reply, format, caller, address, headers }: StreamExchange,
  operation: LiveOperation,
): Promise<void> {
  const { raw } = reply;
  const { transport } = format;
  let lastChunk: string | undefined;
  const endWith = (ending: 'failed' | 'leaving', error: GraphQLError) => {
    lastChunk ??= format[ending]([formatted(error, formatError)]);
    void results.return();
  };
  const exit = connections.enter(transport, {
    address,
    caller,
    leave: () =>
      endWith('leaving', errorOf('SERVICE_UNAVAILABLE', 'This gateway is shutting down; subscribe again')),
    cut: () => raw.destroy(),
  });
  if (!exit)
    throw new GatewayError('OVERLOADED', 'The gateway has as many live connections as it takes; try again');
  const destroyLater = () => setTimeout(() => raw.destroy(), lastWordMs).unref();
  const results = operations.subscribe(
    operation,
    { caller, address, headers: lastingHeaders(headers), transport },
    overflow => {
      if (overflow) destroyLater();
    },
  );
  const stopWatching = whenTokenEnds(caller, reason =>
    endWith('failed', errorOf('UNAUTHENTICATED', `${reason}; subscribe with a new one`)),
  );
  const write = (chunk: string) =>
    new Promise<void>(resolve => {
      if (raw.destroyed) resolve();
      else raw.write(chunk, () => resolve());
    });
  const heartbeat = setInterval(() => {
    if (!raw.writableNeedDrain) void write(format.heartbeat);
  }, config.LIVE_KEEP_ALIVE_MS);
  raw.once('close', () => void results.return());
  // It may have gone while its token was looked at.
  if (raw.destroyed) void results.return();

  beginStream(reply, format.headers);
  try {
    await write(format.opening);
    for await (const result of results) {
      await write(format.result(formatResult(result, formatError)));
      metrics.resultSent(transport);
    }
  } catch (error) {
    endWith('failed', error as GraphQLError);
  } finally {
    clearInterval(heartbeat);
    stopWatching();
    exit();
  }
  if (raw.destroyed) return;
  raw.end(lastChunk ?? format.closing);
  destroyLater();
}

function errorOf(code: ErrorCode, message: string): GraphQLError {
  return new PorticoError(code, message).toGraphQLError();
}
