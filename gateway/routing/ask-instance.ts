import { type Dispatcher, errors } from 'undici';
import { callerHeader } from '../../platform/caller.ts';
import { messageOf, PorticoError } from '../../platform/errors.ts';
import { type GraphqlAnswer, isServerFault, readGraphqlAnswer } from '../../platform/graphql/answer.ts';
import type { Logger } from '../../platform/log.ts';
import { followRedirects } from '../../platform/redirect.ts';
import type { ServiceInstance } from '../../platform/registry/instance.ts';
import { RefusedAddressError } from '../../platform/registry/instance-connections.ts';
import type { Deadline } from '../../platform/resilience/deadline.ts';
import type { Abortable } from '../abort.ts';
import { GatewayError } from '../gateway-error.ts';
import type { OperationContext } from '../operation-context.ts';
import { addressOf, type Endpoint } from './endpoint.ts';
import { type ExchangeResponse, exchange } from './exchange.ts';
import { readBody } from './response-body.ts';

/** Target of the fetches of one subgraph in one graph. */
export interface FetchTarget {
  readonly subgraph: string;
  readonly agent: Dispatcher;
  readonly serves: (instance: ServiceInstance) => boolean;
  /** Tells whether only instances that serve the composed schema may be asked. */
  readonly isStrict: () => boolean;
  /** Resolves when the graph has followed what the registry said last; undefined when it has. */
  readonly graphFollows: () => Promise<void> | undefined;
  /** Most fetches of the subgraph at once. */
  readonly maxConcurrent: number;
  /** Largest answer in bytes, also when it was compressed. */
  readonly maxResponseBytes: number;
  /** Value of `accept-encoding`; undefined for none. */
  readonly acceptEncoding: string | undefined;
}

/** One fetch of a query plan. */
export interface SubgraphFetch {
  /** Its document. */
  readonly query: string;
  /** The GraphQL request as JSON. */
  readonly body: string;
  readonly isMutation: boolean;
  /** Entities that are asked for. */
  readonly representations: number | undefined;
  readonly context: OperationContext;
  /** Aborted when nobody waits for the answer any more: neither its operation nor another that shares it. */
  readonly signal: Abortable | undefined;
}

/** Answer to a fetch, as it came. */
export interface FetchedAnswer {
  readonly answer: GraphqlAnswer;
  /** The body that it was read from. */
  readonly text: string;
  readonly headers: ExchangeResponse['headers'];
}

/** Asks one instance, once. @throws PorticoError SUBGRAPH_ERROR, or what the connection failed with */
export type AskInstance = (
  endpoint: Endpoint,
  target: FetchTarget,
  fetch: SubgraphFetch,
  deadline: Deadline,
) => Promise<FetchedAnswer>;

interface AskOptions {
  readonly log: Logger;
  /** Is called when an instance is ejected for its failures. */
  readonly onEjected: (subgraph: string) => void;
}

/** Makes the function that asks an instance, and tells the endpoint how that went. */
export function createAskInstance({ log, onEjected }: AskOptions): AskInstance {
  const warned = new WeakSet<Endpoint>();

  async function ask(
    endpoint: Endpoint,
    target: FetchTarget,
    fetch: SubgraphFetch,
    deadline: Deadline,
  ): Promise<FetchedAnswer> {
    const { query, body, representations, context, signal } = fetch;
    const end = context.report?.begin({
      subgraph: endpoint.subgraph,
      instance: endpoint.id,
      operation: query,
      representations,
      requestBytes: Buffer.byteLength(body),
    });
    let read: ReadResponse | undefined;
    try {
      const { address } = endpoint;
      const { answer: response, url } = await send(endpoint, target, fetch, deadline);
      // It came in time, however long it waits for the process.
      deadline.meet();
      await context.turn.wait();
      if (signal?.aborted) throw signal.reason;
      read = await readResponse(endpoint, response, target.maxResponseBytes);
      const answer = readAnswer(endpoint, read);
      const { headers, text } = read;
      context.headers.collect(headers);
      if (url !== address.url) endpoint.movedTo(addressOf(url));
      endpoint.succeeded();
      return { answer, text, headers };
    } catch (error) {
      if (deadline.reason || !signal?.aborted) failed(endpoint, error);
      throw error;
    } finally {
      end?.(read);
    }
  }

  function failed(endpoint: Endpoint, error: unknown): void {
    const { subgraph, id } = endpoint;
    const cause = error instanceof PorticoError ? messageOf(error.cause) : undefined;
    log.debug({ subgraph, instance: id, cause }, `A fetch failed: ${messageOf(error)}`);
    if (error instanceof RefusedAddressError && !warned.has(endpoint)) {
      warned.add(endpoint);
      log.warn({ subgraph, instance: id }, `An instance is passed by: ${error.message}`);
    }
    if (!endpoint.failed()) return;
    onEjected(subgraph);
    log.warn(
      { subgraph, instance: id, cause },
      `An instance is ejected for its failures, the last: ${messageOf(error)}`,
    );
  }

  return ask;
}

/** Sends a fetch to an instance, on which it is outstanding until the answer has come. */
async function send(
  endpoint: Endpoint,
  { agent, acceptEncoding, maxResponseBytes }: FetchTarget,
  { body, context, signal }: SubgraphFetch,
  deadline: Deadline,
): Promise<{ readonly url: string; readonly answer: ExchangeResponse }> {
  endpoint.outstanding += 1;
  try {
    const token = await context.caller.token(endpoint.subgraph);
    const passed = context.headers.request;
    // Node 20 takes microseconds to copy an object by a spread and add to it.
    const given: Record<string, string> = {};
    for (const name in passed) given[name] = passed[name] as string;
    given['content-type'] = 'application/json';
    given['accept'] = 'application/json';
    if (acceptEncoding !== undefined) given['accept-encoding'] = acceptEncoding;
    if (token !== undefined) given[callerHeader] = token;
    const options = { dispatcher: agent, deadline, signal };
    const { address } = endpoint;
    return await followRedirects(
      address.url,
      at => {
        const { origin, path } = at === address.url ? address : addressOf(at);
        return exchange({ origin, path, headers: given, body }, options).catch(error => {
          throw tooLarge(endpoint, maxResponseBytes, error);
        });
      },
      // What redirects has not run the operation.
      ({ status, headers }) => ({ status, location: headers.location }),
    );
  } finally {
    endpoint.outstanding -= 1;
  }
}

/** An answer by which a subgraph says that it is unwell. Its errors are for the client all the same. */
export class UnwellSubgraphError extends GatewayError {
  readonly answer: GraphqlAnswer;
  /** Headers of the answer. */
  readonly headers: ExchangeResponse['headers'];

  constructor(
    subgraph: string,
    { status, headers }: Pick<ExchangeResponse, 'status' | 'headers'>,
    answer: GraphqlAnswer,
  ) {
    super('SUBGRAPH_ERROR', `The subgraph '${subgraph}' answered with errors and status ${status}`, {
      cause: new Error(answer.errors?.[0]?.message),
      details: { subgraph },
    });
    this.answer = answer;
    this.headers = headers;
  }
}

/** Characters of an answer that is no GraphQL result that are logged. */
const loggedCharacters = 200;

/** A response whose body is read. */
type ReadResponse = Omit<ExchangeResponse, 'body'> & { readonly text: string };

async function readResponse(
  endpoint: Endpoint,
  { status, headers, body }: ExchangeResponse,
  maxResponseBytes: number,
): Promise<ReadResponse> {
  try {
    return { status, headers, text: await readBody(body, headers['content-encoding'], maxResponseBytes) };
  } catch (error) {
    throw tooLarge(endpoint, maxResponseBytes, error);
  }
}

function readAnswer({ subgraph }: Endpoint, { status, headers, text }: ReadResponse): GraphqlAnswer {
  let answer: GraphqlAnswer;
  try {
    answer = readGraphqlAnswer(text);
  } catch {
    const type = headers['content-type'] ?? 'no content type';
    const redirect = status >= 300 && status < 400 && headers.location !== undefined;
    const leads = redirect ? `; it leads to ${headers.location}` : '';
    throw new GatewayError(
      'SUBGRAPH_ERROR',
      `The subgraph '${subgraph}' answered with no GraphQL result, but with ${redirect ? 'a redirect, ' : ''}status ${status} and ${type}`,
      // Clients do not see causes: where a redirect leads, and what was written, is for the log.
      {
        cause: new Error(`the answer begins with ${JSON.stringify(text.slice(0, loggedCharacters))}${leads}`),
        details: { subgraph },
      },
    );
  }
  if (isServerFault(status, answer)) throw new UnwellSubgraphError(subgraph, { status, headers }, answer);
  return answer;
}

/** What is wrong with an answer that was cut off for its size; for other errors, the error itself. */
function tooLarge({ subgraph }: Endpoint, maxResponseBytes: number, cause: unknown): unknown {
  const isTooLarge =
    cause instanceof errors.ResponseExceededMaxSizeError ||
    (cause as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE';
  if (!isTooLarge) return cause;
  return new GatewayError(
    'SUBGRAPH_ERROR',
    `The answer of the subgraph '${subgraph}' is larger than ${maxResponseBytes} bytes (SUBGRAPH_MAX_RESPONSE_BYTES)`,
    { cause, details: { subgraph } },
  );
}
