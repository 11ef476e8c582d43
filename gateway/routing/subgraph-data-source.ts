import type { GraphQLDataSource } from '@apollo/gateway';
import type { GraphQLFormattedError } from 'graphql';
import { Histogram, type Registry } from 'prom-client';
import { type Agent, request } from 'undici';
import * as z from 'zod';
import { callerHeader } from '../../platform/caller.ts';
import { messageOf, PorticoError } from '../../platform/errors.ts';
import type { Logger } from '../../platform/log.ts';
import { latencyBucketsSeconds } from '../../platform/metrics.ts';
import { isConnectError } from '../../platform/service-client.ts';
import type { OperationCaller } from '../security/operation-caller.ts';
import type { Endpoint, Instances } from './instances.ts';

interface DataSourceOptions {
  readonly instances: Instances;
  readonly agent: Agent;
  /** Longest time of one fetch in ms. */
  readonly timeoutMs: number;
  readonly log: Logger;
  readonly metrics: Registry;
}

const answerSchema = z.object({
  data: z.record(z.string(), z.unknown()).nullish(),
  errors: z.array(z.looseObject({ message: z.string() })).optional(),
  extensions: z.record(z.string(), z.unknown()).optional(),
});
type Answer = z.infer<typeof answerSchema>;

/** Makes the data sources by which a graph fetches from its subgraphs: each fetch goes to one instance. */
export function createDataSources(options: DataSourceOptions): (subgraph: string) => GraphQLDataSource {
  const { instances, agent, timeoutMs, log, metrics } = options;
  const duration = new Histogram({
    name: 'gateway_subgraph_fetch_duration_seconds',
    help: 'Duration of fetches from subgraphs, by outcome: ok, error (GraphQL errors), or an error code.',
    labelNames: ['subgraph', 'outcome'],
    buckets: latencyBucketsSeconds,
    registers: [metrics],
  });

  async function send(endpoint: Endpoint, body: string, caller: OperationCaller): Promise<Answer> {
    endpoint.outstanding += 1;
    try {
      const token = await caller.token();
      const response = await request(endpoint.url, {
        dispatcher: agent,
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          accept: 'application/json',
          ...(token === undefined ? {} : { [callerHeader]: token }),
        },
        body,
        signal: AbortSignal.timeout(timeoutMs),
      });
      const text = await response.body.text();
      return readAnswer(endpoint, response.statusCode, text);
    } finally {
      endpoint.outstanding -= 1;
    }
  }

  /** A connection that was never made is made to another instance. */
  async function fetchFrom(subgraph: string, body: string, caller: OperationCaller): Promise<Answer> {
    const tried = new Set<Endpoint>();
    for (;;) {
      const endpoint = instances.pick(subgraph, tried);
      try {
        return await send(endpoint, body, caller);
      } catch (error) {
        if (error instanceof PorticoError) throw error;
        log.warn({ subgraph, instance: endpoint.id }, `A fetch failed: ${messageOf(error)}`);
        tried.add(endpoint);
        if (!isConnectError(error)) throw fetchError(subgraph, error, timeoutMs);
      }
    }
  }

  return subgraph => ({
    async process({ request: { query, variables, operationName }, context }) {
      const end = duration.startTimer({ subgraph });
      try {
        const body = JSON.stringify({ query, variables, operationName });
        const answer = await fetchFrom(subgraph, body, (context as { caller: OperationCaller }).caller);
        end({ outcome: answer.errors ? 'error' : 'ok' });
        return answer as { data: Record<string, unknown>; errors: GraphQLFormattedError[] };
      } catch (error) {
        const failure = error instanceof PorticoError ? error : fetchError(subgraph, error, timeoutMs);
        end({ outcome: failure.code });
        return { data: null, errors: [failure.toGraphQLError().toJSON()] };
      }
    },
  });
}

function readAnswer({ subgraph, id }: Endpoint, status: number, text: string): Answer {
  try {
    return answerSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new PorticoError(
      'SUBGRAPH_ERROR',
      `The subgraph '${subgraph}' expected to answer with a GraphQL result, but answered with status ${status}`,
      { cause, details: { subgraph, instance: id } },
    );
  }
}

function fetchError(subgraph: string, cause: unknown, timeoutMs: number): PorticoError {
  const timedOut = cause instanceof Error && cause.name === 'TimeoutError';
  return timedOut
    ? new PorticoError(
        'SUBGRAPH_TIMEOUT',
        `The subgraph '${subgraph}' did not answer within ${timeoutMs} ms`,
        {
          cause,
          details: { subgraph },
        },
      )
    : new PorticoError('SUBGRAPH_UNAVAILABLE', `The subgraph '${subgraph}' could not be reached`, {
        cause,
        details: { subgraph },
      });
}
