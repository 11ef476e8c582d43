import type { FastifyReply, FastifyRequest } from 'fastify';
import { type FormatError, formatResult } from '../format.ts';
import { refusalIn } from '../gateway-error.ts';
import type { OperationContext } from '../operation-context.ts';
import { beginStream, writePieces } from '../stream-response.ts';
import type { LiveOperations } from '../subscriptions/live-operations.ts';
import { type Operation, RefusedOperation } from '../subscriptions/operation.ts';
import { readRequest } from '../subscriptions/transports/read-request.ts';
import { byId, byPath, type IncrementalFormat, partsOf } from './formats.ts';
import { runInParts } from './run-in-parts.ts';

/**
 * The format of an answer in parts that a request accepts; undefined when it accepts none, or defers nothing. Without a
 * parameter, `multipart/mixed` is the format that most clients read. Only a POST is answered in parts: Apollo Server knows
 * which GET may have come from a page of another site.
 */
export function incrementalFormatOf({
  method,
  headers: { accept = '' },
  body,
}: FastifyRequest): IncrementalFormat | undefined {
  if (method !== 'POST' || !accept.includes('multipart/mixed')) return undefined;
  if (typeof body !== 'string' || !body.includes('@defer')) return undefined;
  const parameters = accept.match(/multipart\/mixed[^,]*/gi) ?? [];
  for (const given of parameters) {
    if (given.includes(byId.parameter)) return byId;
    if (given.includes(byPath.parameter) || !/spec=/i.test(given)) return byPath;
  }
  return undefined;
}

interface AnswerOptions {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly format: IncrementalFormat;
  readonly operations: Pick<LiveOperations, 'isReady' | 'read'>;
  readonly context: OperationContext;
  readonly formatError: FormatError;
}

/**
 * Answers a request part by part.
 *
 * @returns false for one that Apollo Server has to answer: it defers nothing, is refused, or its variables are wrong
 */
export async function answerInParts(options: AnswerOptions): Promise<boolean> {
  const { request, reply, format, operations, context, formatError } = options;
  const operation = operations.isReady ? readOperation(operations, request, context.caller) : undefined;
  if (!operation?.isDeferring) return false;
  const result = await runInParts(operation, context);
  if (!('initial' in result) && result.data === undefined) {
    const refusal = refusalIn(result.errors ?? []);
    if (!refusal) return false;
    // It may have run: nobody else is to run it again.
    await reply
      .code(refusal.status)
      .headers(refusal.headers)
      .type('application/json; charset=utf-8')
      .send(JSON.stringify(formatResult(result, formatError)));
    return true;
  }
  const raw = beginStream(reply, {
    ...context.headers.response(),
    'content-type': `multipart/mixed; boundary="-"; ${format.parameter}`,
  });
  raw.write('\r\n---');
  await writePieces(raw, pieces(partsOf(result, format, formatError)), '--\r\n');
  return true;
}

async function* pieces(parts: AsyncIterable<object>): AsyncGenerator<string> {
  for await (const part of parts)
    yield `\r\ncontent-type: application/json; charset=utf-8\r\n\r\n${JSON.stringify(part)}\r\n---`;
}

function readOperation(
  operations: AnswerOptions['operations'],
  request: FastifyRequest,
  caller: OperationContext['caller'],
): Operation | undefined {
  try {
    return operations.read(readRequest(request), caller);
  } catch (error) {
    if (error instanceof RefusedOperation) return undefined;
    throw error;
  }
}
