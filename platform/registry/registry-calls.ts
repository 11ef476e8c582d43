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
  async call(operation: string, wanted: RegistryRequest, options: CallOptions = {}): Promise<RegistryAnswer> {
    const failures: string[] = [];
    for (const registry of this.#fromCurrent()) {
      try {
        const answer = await exchange(registry, wanted, options);
        if (answer.status < 500) return answer;
        failures.push(`${registry.base} answered ${answer.status}`);
      } catch (error) {
        if (options.signal?.aborted) throw error;
        failures.push(`${registry.base}: ${messageOf(error)}`);
      }
      this.#moveOnFrom(registry);
    }
    throw new PorticoError(
      'SERVICE_UNAVAILABLE',
      `${operation} reached no registry (${failures.join('; ')})`,
    );
  }

  /**
   * Opens a stream of events.
   *
   * @returns undefined when this registry has none
   * @throws Error when the registry cannot be reached; the next call goes to another
   */
  async openStream(path: string, lastEventId: string | undefined, signal: AbortSignal) {
    const [registry] = this.#fromCurrent();
    if (!registry) return undefined;
    const url = `${registry.base}${path}`;
    try {
      const response = await request(url, {
        signal,
        headersTimeout: defaultTimeoutMs,
        bodyTimeout: 0,
        headers: {
          accept: 'text/event-stream',
          ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }),
          ...registry.headers,
        },
      });
      const type = String(response.headers['content-type'] ?? '');
      if (response.statusCode === 200 && type.startsWith('text/event-stream'))
        return { url, body: response.body } satisfies EventStream;

      await response.body.dump();
      if (response.statusCode < 500) return undefined;
      throw new Error(`${url} answered ${response.statusCode}`);
    } catch (error) {
      if (!signal.aborted) this.#moveOnFrom(registry);
      throw error;
    }
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
