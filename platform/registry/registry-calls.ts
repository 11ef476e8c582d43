import { type Dispatcher, request } from 'undici';
import { withDeadline } from '../deadline.ts';
import { messageOf, PorticoError } from '../errors.ts';
import { type RegistryAddress, registryAddress } from './address.ts';

/** Bounds of one call. */
export interface CallOptions {
  readonly signal?: AbortSignal;
  /** Time that one registry has for the whole exchange, in ms; the next one gets as much. @default 3000 */
  readonly timeoutMs?: number;
}

interface RegistryRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly path: string;
  readonly body?: unknown;
}

/** Answer of a registry. */
export interface RegistryAnswer {
  readonly url: string;
  readonly status: number;
  readonly contentType: string;
  /** Address that a redirect leads to. */
  readonly location: string | undefined;
  readonly text: string;
}

/** A stream of events that a registry has opened. */
export interface EventStream {
  readonly url: string;
  readonly body: Dispatcher.ResponseData['body'];
}

const defaultTimeoutMs = 3_000;

/**
 * Calls one of several registries that replicate: the one that answered last, and when it cannot be reached, or
 * answers that it is broken, the next.
 */
export class RegistryCalls {
  readonly #registries: readonly RegistryAddress[];
  #current = 0;

  /** @param urls base addresses, such as `http://localhost:8761/eureka` */
  constructor(urls: readonly string[], token: string | undefined) {
    this.#registries = urls.map(url => registryAddress(url, token));
  }

  /** @throws PorticoError SERVICE_UNAVAILABLE when no registry answers */
  call(operation: string, wanted: RegistryRequest, options: CallOptions = {}): Promise<RegistryAnswer> {
    return this.#tryInTurn(operation, options.signal, async registry => {
      const answer = await exchange(registry, wanted, options);
      if (answer.status >= 500) throw new Error(`answered ${answer.status}`);
      return answer;
    });
  }

  /**
   * Opens a stream of events.
   *
   * @returns undefined when the registry that answers has none
   * @throws PorticoError SERVICE_UNAVAILABLE when no registry answers
   */
  openStream(
    path: string,
    lastEventId: string | undefined,
    signal: AbortSignal,
  ): Promise<EventStream | undefined> {
    return this.#tryInTurn('follow', signal, registry => openStreamAt(registry, path, lastEventId, signal));
  }

  /** Gives the result of the first registry that has one, and stays with that registry. */
  async #tryInTurn<T>(
    operation: string,
    signal: AbortSignal | undefined,
    attempt: (registry: RegistryAddress) => Promise<T>,
  ): Promise<T> {
    const failures: string[] = [];
    for (const registry of this.#fromCurrent()) {
      try {
        return await attempt(registry);
      } catch (error) {
        if (signal?.aborted) throw error;
        failures.push(`${registry.base}: ${messageOf(error)}`);
      }
      this.#moveOnFrom(registry);
    }
    throw new PorticoError(
      'SERVICE_UNAVAILABLE',
      `${operation} reached no registry (${failures.join('; ')})`,
    );
  }

  #fromCurrent(): RegistryAddress[] {
    return [...this.#registries.slice(this.#current), ...this.#registries.slice(0, this.#current)];
  }

  /** Calls run side by side: only the first that finds a registry gone moves on from it. */
  #moveOnFrom(registry: RegistryAddress): void {
    if (this.#registries[this.#current] === registry)
      this.#current = (this.#current + 1) % this.#registries.length;
  }
}

async function openStreamAt(
  registry: RegistryAddress,
  path: string,
  lastEventId: string | undefined,
  signal: AbortSignal,
): Promise<EventStream | undefined> {
  const url = `${registry.base}${path}`;
  // The deadline is that of the opening: the stream itself lasts until the caller ends it.
  const { statusCode, body } = await withDeadline({ timeoutMs: defaultTimeoutMs, signal }, async attempt => {
    const response = await request(url, {
      signal: attempt,
      bodyTimeout: 0,
      headers: {
        accept: 'text/event-stream',
        ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }),
        ...registry.headers,
      },
    });
    if (isEventStream(response)) return response;
    await response.body.dump();
    // The end of a body that was given up looks like any other.
    attempt.throwIfAborted();
    return { ...response, body: undefined };
  });
  if (body) {
    const end = () => void body.destroy(signal.reason as Error);
    signal.addEventListener('abort', end, { once: true });
    body.once('close', () => signal.removeEventListener('abort', end));
    return { url, body };
  }

  if (statusCode >= 500) throw new Error(`answered ${statusCode}`);
  return undefined;
}

function isEventStream({ statusCode, headers }: Dispatcher.ResponseData): boolean {
  return statusCode === 200 && String(headers['content-type'] ?? '').startsWith('text/event-stream');
}

async function exchange(
  { base, headers }: RegistryAddress,
  { method, path, body }: RegistryRequest,
  { signal, timeoutMs = defaultTimeoutMs }: CallOptions,
): Promise<RegistryAnswer> {
  return withDeadline({ timeoutMs, signal }, async attempt => {
    const url = `${base}${path}`;
    const response = await request(url, {
      method,
      signal: attempt,
      headers: {
        accept: 'application/json',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      body: body === undefined ? null : JSON.stringify(body),
    });
    const { 'content-type': contentType = '', location } = response.headers;
    return {
      url,
      status: response.statusCode,
      contentType: String(contentType),
      location: location === undefined ? undefined : String(location),
      text: await response.body.text(),
    };
  });
}
