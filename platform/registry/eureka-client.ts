import { type Dispatcher, request } from 'undici';
import { messageOf, PorticoError } from '../errors.ts';
import { parseApplications, type ServiceInstance } from './instance.ts';

/** A server that answered with something other than what the operation allows. */
export class EurekaResponseError extends Error {
  override readonly name = 'EurekaResponseError';
  readonly status: number;
  constructor(operation: string, status: number, body: string) {
    super(`${operation} expected the registry to accept, but got ${status} ${body.slice(0, 300)}`.trim());
    this.status = status;
  }
}

interface CallOptions {
  readonly signal?: AbortSignal;
  /** Time for the whole exchange in ms. @default 3000 */
  readonly timeoutMs?: number;
}

interface EurekaRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly path: string;
  readonly body?: unknown;
}

/** The operations of Eureka's REST protocol that a client needs. */
export interface EurekaClient {
  register(app: string, registration: unknown, options?: CallOptions): Promise<void>;
  /** False when the registry does not know the instance, or knows an older one: register again. */
  renew(app: string, id: string, dirtyTimestampMs: number, options?: CallOptions): Promise<boolean>;
  /** Takes the instance out. An instance that the registry does not know is out already. */
  cancel(app: string, id: string, options?: CallOptions): Promise<void>;
  /** Every instance of every application. */
  fetchAll(options?: CallOptions): Promise<ServiceInstance[]>;
  /** Opens the registry's change stream; undefined when this registry has none. */
  openChanges(lastEventId: string | undefined, signal: AbortSignal): Promise<ChangeResponse | undefined>;
}

interface ChangeResponse {
  readonly url: string;
  readonly body: Dispatcher.ResponseData['body'];
}

const defaultTimeoutMs = 3_000;

/**
 * Makes a client of one registry or of several that replicate: it stays with the one that answered last, and moves
 * to the next when that one cannot be reached.
 *
 * @param urls base addresses, such as `http://localhost:8761/eureka`; credentials in one are sent as basic auth
 */
export function createEurekaClient({
  urls,
  token,
}: {
  urls: readonly string[];
  token?: string | undefined;
}): EurekaClient {
  const registries = urls.map(url => registryAddress(url, token));
  let current = 0;

  async function call(operation: string, { method, path, body }: EurekaRequest, options: CallOptions = {}) {
    const timeout = AbortSignal.timeout(options.timeoutMs ?? defaultTimeoutMs);
    const signal = options.signal ? AbortSignal.any([options.signal, timeout]) : timeout;
    const failures: string[] = [];
    for (let attempt = 0; attempt < registries.length; attempt++) {
      const registry = registries[current];
      if (!registry) break;
      try {
        const response = await request(`${registry.base}${path}`, {
          method,
          signal,
          headers: {
            accept: 'application/json',
            ...(body === undefined ? {} : { 'content-type': 'application/json' }),
            ...registry.headers,
          },
          body: body === undefined ? null : JSON.stringify(body),
        });
        if (response.statusCode < 500) return response;
        failures.push(`${registry.base} answered ${response.statusCode}`);
        await response.body.dump();
      } catch (error) {
        if (options.signal?.aborted) throw error;
        failures.push(`${registry.base}: ${messageOf(error)}`);
      }
      current = (current + 1) % registries.length;
    }
    throw new PorticoError(
      'SERVICE_UNAVAILABLE',
      `${operation} reached no registry (${failures.join('; ')})`,
    );
  }

  async function expectOk(operation: string, response: Dispatcher.ResponseData): Promise<void> {
    if (response.statusCode >= 300)
      throw new EurekaResponseError(operation, response.statusCode, await response.body.text());
    await response.body.dump();
  }

  const instancePath = (app: string, id: string) =>
    `/apps/${encodeURIComponent(app.toUpperCase())}/${encodeURIComponent(id)}`;

  return {
    async register(app, registration, options) {
      const path = `/apps/${encodeURIComponent(app.toUpperCase())}`;
      const response = await call('register', { method: 'POST', path, body: registration }, options);
      await expectOk('register', response);
    },

    async renew(app, id, dirtyTimestampMs, options) {
      const path = `${instancePath(app, id)}?status=UP&lastDirtyTimestamp=${dirtyTimestampMs}`;
      const response = await call('renew', { method: 'PUT', path }, options);
      if (response.statusCode === 404) {
        await response.body.dump();
        return false;
      }
      await expectOk('renew', response);
      return true;
    },

    async cancel(app, id, options) {
      const response = await call('cancel', { method: 'DELETE', path: instancePath(app, id) }, options);
      if (response.statusCode === 404) await response.body.dump();
      else await expectOk('cancel', response);
    },

    async fetchAll(options) {
      const response = await call('fetch', { method: 'GET', path: '/apps' }, options);
      if (response.statusCode !== 200)
        throw new EurekaResponseError('fetch', response.statusCode, await response.body.text());
      return parseApplications(await response.body.json());
    },

    async openChanges(lastEventId, signal) {
      const registry = registries[current];
      if (!registry) return undefined;
      const url = `${registry.base}/changes`;
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
          return { url, body: response.body };
        await response.body.dump();
        if (response.statusCode < 500) return undefined;
        throw new Error(`${url} answered ${response.statusCode}`);
      } catch (error) {
        if (!signal.aborted) current = (current + 1) % registries.length;
        throw error;
      }
    },
  };
}

/**
 * Splits the address of a registry into what requests are sent to and what they carry: credentials in the address as
 * basic auth, or else the token as a bearer token.
 */
export function registryAddress(
  url: string,
  token: string | undefined,
): { readonly base: string; readonly headers: Readonly<Record<string, string>> } {
  const parsed = new URL(url);
  const { username, password } = parsed;
  parsed.username = '';
  parsed.password = '';
  const headers: Record<string, string> = {};
  if (username) {
    const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
    headers['authorization'] = `Basic ${Buffer.from(credentials).toString('base64')}`;
  } else if (token) {
    headers['authorization'] = `Bearer ${token}`;
  }
  return { base: parsed.href.replace(/\/+$/, ''), headers };
}
