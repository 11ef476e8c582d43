import { GraphQLError } from 'graphql';
import { readGraphqlResult } from '../../../platform/graphql/answer.ts';
import type { SubgraphEvent } from '../subscription-plan.ts';
import type { UpstreamSink } from './sink.ts';
import type { SubgraphErrorLike } from './websocket-protocols.ts';

/** Largest event that a subgraph may send, in bytes. */
export const maxEventBytes = 16 * 1024 * 1024;

/** An instance does not speak a protocol. The message says which, where, and what came. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
}

/** Tells whether a status is of an instance that is unwell, or has too much to do, and says nothing of its protocols. */
export function isUnwell(status: number | undefined): boolean {
  return status !== undefined && [429, 500, 502, 503, 504].includes(status);
}

/** Passes on a result: an event, or where the events begin. @throws Error when it is no GraphQL result */
export function passEvent(result: unknown, sink: UpstreamSink): void {
  const { extensions, ...others } = readGraphqlResult(result);
  const event: SubgraphEvent = extensions ? { ...others, extensions } : others;
  const cursor = event.extensions?.['cursor'];
  const isStart = !('data' in event) && !event.errors && typeof cursor === 'string';
  if (isStart) sink.start(cursor);
  else sink.event(event);
}

/** The first error of a subgraph that refused a subscription, as GraphQL has it. */
export function refusalOf(subgraph: string, [first]: readonly SubgraphErrorLike[]): GraphQLError {
  return new GraphQLError(first?.message ?? `The subgraph '${subgraph}' refused the subscription`, {
    extensions: { ...first?.extensions, serviceName: subgraph },
  });
}
