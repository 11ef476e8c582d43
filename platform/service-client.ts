import { type Agent, request } from 'undici';
import { type CallerTokens, callerHeader, createTokenSource } from './caller.ts';
import { isErrorCode, messageOf, PorticoError, ServiceError } from './errors.ts';
import { type GraphqlAnswer, isServerFault, readGraphqlAnswer } from './graphql/answer.ts';
import type { RegistryView } from './registry/follower.ts';
import { isInZone, metadataKeys, type ServiceInstance } from './registry/instance.ts';
import type { Breaker } from './resilience/circuit-breaker.ts';
import { currentTrace } from './trace-context.ts';

/** Calls the GraphQL endpoint of another service of the system. */
export interface ServiceClient {
  /**
   * Runs one operation, as part of the trace that it is called in and behind the service's breaker, on the instance that
   * has the fewest calls to answer, of equals on one of its own zone; one that has just failed to answer comes last.
   * Another instance is tried when the first cannot be connected to.
   *
   * @returns the operation's data
   * @throws BreakerOpenError when the breaker is open; PorticoError or ServiceError with the service's own code when it
   *   refused what was asked; PorticoError SERVICE_UNAVAILABLE or SERVICE_TIMEOUT when it could not answer
   */
  run<T>(operation: string, variables: Record<string, unknown>): Promise<T>;
}

interface ServiceClientOptions {
  /** Name of the service to call, as it registers. */
  readonly service: string;
  /** Name of the service that calls. */
  readonly self: string;
  /** Zone of the service that calls. */
  readonly zone?: string | undefined;
  readonly registry: RegistryView;
  readonly breaker: Breaker;
  readonly callers: CallerTokens;
  readonly agent: Agent;
}

/** Says whether an error of a service call means that the service is unwell, as opposed to refusing what was asked. */
export function isServiceFailure(error: unknown): boolean {
  return !(error instanceof PorticoError) || error.httpStatus >= 500;
}

/** Time that an instance that did not answer is called only when there is no other, in ms. */
const avoidMs = 10_000;

/** Makes the client of one service. */
export function createServiceClient(options: ServiceClientOptions): ServiceClient {
  const { service, self, zone, registry, breaker, callers, agent } = options;
  const outstandingById = new Map<string, number>();
  const failedAtMsById = new Map<string, number>();
  const tokenOf = createTokenSource(callers, { kind: 'service', id: self, scopes: [] });
  let turn = 0;

  function leastBusyFirst(): readonly ServiceInstance[] {
    const instances = registry.up(service);
    if (instances.length === 0)
      throw new PorticoError('SERVICE_UNAVAILABLE', `No instance of ${service} is registered`, {
        details: { service },
      });
    turn = (turn + 1) % instances.length;
    const inTurn = [...instances.slice(turn), ...instances.slice(0, turn)];
    const outstanding = ({ id }: ServiceInstance) => outstandingById.get(id) ?? 0;
    const avoided = ({ id }: ServiceInstance) => Number(Date.now() - (failedAtMsById.get(id) ?? 0) < avoidMs);
    const far = (instance: ServiceInstance) => Number(!isInZone(instance, zone));
    return inTurn.sort(
      (one, other) =>
        avoided(one) - avoided(other) || outstanding(one) - outstanding(other) || far(one) - far(other),
    );
  }

  function avoid(id: string): void {
    const nowMs = Date.now();
    // Instances come and go; those that failed long ago are forgotten.
    for (const [each, atMs] of failedAtMsById) if (nowMs - atMs >= avoidMs) failedAtMsById.delete(each);
    failedAtMsById.set(id, nowMs);
  }

  /** Counts a call as outstanding until it ends, and notes when it got no answer. */
  async function counted<T>(id: string, call: () => Promise<T>): Promise<T> {
    outstandingById.set(id, (outstandingById.get(id) ?? 0) + 1);
    try {
      const answer = await call();
      failedAtMsById.delete(id);
      return answer;
    } catch (error) {
      avoid(id);
      throw error;
    } finally {
      const left = (outstandingById.get(id) ?? 1) - 1;
      if (left > 0) outstandingById.set(id, left);
      else outstandingById.delete(id);
    }
  }

  async function send(body: string, signal: AbortSignal): Promise<GraphqlAnswer> {
    const token = await tokenOf(service);
    const failures: string[] = [];
    for (const instance of leastBusyFirst())
      try {
        return await counted(instance.id, async () => {
          const { statusCode, body: answer } = await request(graphqlUrlOf(instance), {
            dispatcher: agent,
            method: 'POST',
            signal,
            headers: { 'content-type': 'application/json', [callerHeader]: token, ...currentTrace() },
            body,
          });
          return readServiceAnswer(statusCode, await answer.text());
        });
      } catch (cause) {
        if (signal.aborted) throw cause;
        failures.push(`${instance.id}: ${messageOf(cause)}`);
        if (!isConnectError(cause)) break;
      }

    throw new PorticoError(
      'SERVICE_UNAVAILABLE',
      `${service} could not be reached (${failures.join('; ')})`,
      {
        details: { service },
      },
    );
  }

  return {
    run<T>(operation: string, variables: Record<string, unknown>) {
      const body = JSON.stringify({ query: operation, variables });
      return breaker.run(async ({ signal }) => {
        const { data, errors } = await send(body, signal);
        const [error] = errors ?? [];
        if (error) throw errorOf(service, error.message, error['extensions']);
        return data as T;
      });
    },
  };
}

function readServiceAnswer(status: number, text: string): GraphqlAnswer {
  try {
    const answer = readGraphqlAnswer(text);
    if (isServerFault(status, answer)) throw new Error(answer.errors?.[0]?.message);
    return answer;
  } catch (cause) {
    throw new Error(`the answer with status ${status} is no GraphQL result`, { cause });
  }
}

/** Address of an instance's GraphQL endpoint. */
export function graphqlUrlOf({ secure, host, port, metadata }: ServiceInstance): string {
  return `${secure ? 'https' : 'http'}://${host}:${port}${metadata[metadataKeys.graphqlPath] || '/graphql'}`;
}

/** Tells whether the request surely never reached the other side. */
export function isConnectError(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return (
    code === 'ECONNREFUSED' ||
    code === 'ENOTFOUND' ||
    code === 'EHOSTUNREACH' ||
    code === 'UND_ERR_CONNECT_TIMEOUT' ||
    code === 'ERR_ADDRESS_REFUSED'
  );
}

/** Error of a service: with its own code, whatever that is. Without a code it says nothing, and the service is unwell. */
function errorOf(service: string, message: string, extensions: unknown): PorticoError {
  const { code, ...given } = (extensions ?? {}) as Record<string, unknown>;
  const [text, options] = [`${service}: ${message}`, { details: { ...given, service } }];
  if (isErrorCode(code)) return new PorticoError(code, text, options);
  if (typeof code === 'string' && code !== '') return new ServiceError(code, text, options);
  return new PorticoError('SERVICE_UNAVAILABLE', text, options);
}
