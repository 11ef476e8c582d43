import { createParser } from 'eventsource-parser';
import type { SubscribePayload } from 'graphql-ws';
import { type Dispatcher, request } from 'undici';
import { callerHeader } from '../../../platform/caller.ts';
import { type GraphqlAnswer, parseAnswer, readGraphqlAnswer } from '../../../platform/graphql/answer.ts';
import type { Logger } from '../../../platform/log.ts';
import { RefusedAddressError } from '../../../platform/registry/instance-connections.ts';
import type { Endpoint } from '../../routing/endpoint.ts';
import { isUnwell, maxEventBytes, ProtocolError, passEvent, refusalOf } from './results.ts';
import type { Upstream, UpstreamSink } from './sink.ts';

/** Request for a stream to an instance. */
export interface StreamRequest {
  readonly endpoint: Endpoint;
  readonly dispatcher: Dispatcher;
  readonly payload: SubscribePayload;
  /** Says on whose behalf it is asked. */
  readonly callerToken: string | undefined;
  /** True if it has answered with streams before, or says itself that it does: then errors are its refusal. */
  readonly isKnownToStream: boolean;
  readonly onOpened: () => void;
  /** It answers with something else. Nothing more comes. */
  readonly onProtocolError: (error: ProtocolError) => void;
  /** It has ended, however that was. */
  readonly onEnded: () => void;
  readonly log: Logger;
}

/**
 * One subscription of a subgraph over Server-Sent Events, on a connection of its own.
 * @see https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md "distinct connections mode"
 */
export function openStream(options: StreamRequest, sink: UpstreamSink): Upstream {
  const { endpoint, log } = options;
  const closed = new AbortController();
  let begun = false;
  // Whether the sink has been told how it ended.
  let ended = false;

  function end(tell: () => void): void {
    if (ended) return;
    ended = true;
    closed.abort();
    options.onEnded();
    tell();
  }

  async function read(): Promise<void> {
    const { statusCode, headers, body } = await ask(options, closed.signal);
    const type = String(headers['content-type'] ?? 'no content type');
    if (statusCode !== 200 || !type.startsWith('text/event-stream')) {
      const answer = await readBounded(body);
      return end(() => refuse(statusCode, answer, `status ${statusCode} and ${type}`));
    }
    begun = true;
    endpoint.succeeded();
    options.onOpened();
    sink.opened();
    const decoder = new TextDecoder();
    const parser = createParser({
      maxBufferSize: maxEventBytes,
      onEvent: ({ event, data }) => {
        if (ended) return;
        if (event === 'complete') end(() => sink.completed());
        else if (event === undefined || event === 'next') passEvent(parseAnswer(data), sink);
      },
      onError(error) {
        if (error.type === 'max-buffer-size-exceeded') throw error;
      },
    });
    for await (const chunk of body) parser.feed(decoder.decode(chunk as Uint8Array, { stream: true }));
    throw new Error('The stream ended without a word');
  }

  /** Tells what an answer that is no stream means. */
  function refuse(status: number, answer: string, came: string): void {
    const errors = errorsIn(answer);
    const cause = new ProtocolError(`Server-Sent Events at ${endpoint.subscriptionsUrl}: ${came}`);
    if (options.isKnownToStream && errors) sink.refused(refusalOf(endpoint.subgraph, errors));
    else if (isUnwell(status)) sink.lost({ begun: false, cause });
    else options.onProtocolError(cause);
  }

  read().catch((cause: unknown) =>
    end(() => {
      if (begun) log.warn(describe(endpoint, cause), 'A stream of a subscription was lost');
      else endpoint.failed();
      if (cause instanceof RefusedAddressError)
        log.warn(
          { subgraph: endpoint.subgraph, instance: endpoint.id },
          `An instance is passed by: ${cause.message}`,
        );
      sink.lost({ begun, cause });
    }),
  );
  return {
    close: () => end(() => {}),
  };
}

function ask({ endpoint, dispatcher, payload, callerToken }: StreamRequest, signal: AbortSignal) {
  return request(endpoint.subscriptionsUrl, {
    dispatcher,
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'text/event-stream',
      ...(callerToken === undefined ? {} : { [callerHeader]: callerToken }),
    },
    body: JSON.stringify(payload),
    signal,
  });
}

function errorsIn(answer: string): GraphqlAnswer['errors'] {
  try {
    return readGraphqlAnswer(answer).errors;
  } catch {
    return undefined;
  }
}

function describe({ subgraph, id }: Endpoint, err: unknown) {
  return { subgraph, instance: id, subscriptions: 1, err };
}

/** Reads as much of an answer as its errors take. */
async function readBounded(body: AsyncIterable<unknown>): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of body) {
    text += decoder.decode(chunk as Uint8Array, { stream: true });
    if (text.length > 65_536) break;
  }
  return text;
}
