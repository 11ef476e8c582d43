import { anyHost, type InstanceHosts } from './host.ts';
import type { RegistryDelta, ServiceInstance } from './instance.ts';
import { parseApplications, parseDelta } from './read-instances.ts';
import { type CallOptions, type EventStream, type RegistryAnswer, RegistryCalls } from './registry-calls.ts';

/** A server that answered with something other than a registry does. The message is one line, without the page. */
export class EurekaResponseError extends Error {
  override readonly name = 'EurekaResponseError';
  readonly status: number;

  constructor(operation: string, { url, status, contentType, location, text }: RegistryAnswer) {
    // A registry says in plain text why it refuses; a page, or what else is there, says nothing of it.
    const says =
      /^(text\/plain|application\/json)/.test(contentType) && text.length < 300 ? oneLine(text) : '';
    const what = [
      contentType || 'no content type',
      location === undefined ? '' : `a redirect to ${location}`,
      says,
    ].filter(each => each !== '');
    super(
      `${operation}: ${url} answered ${status} (${what.join('; ')}), not as a Eureka registry does. ` +
        'Check EUREKA_URL, which ends in /eureka or /eureka/v2',
    );
    this.status = status;
  }
}

function oneLine(text: string): string {
  return text.trim().replaceAll(/\s+/g, ' ');
}

/** The operations of Eureka's REST protocol that a client needs. */
export interface EurekaClient {
  /** Places where instances may be; those that are elsewhere have an `addressFault`. */
  readonly hosts: InstanceHosts;
  register(app: string, registration: unknown, options?: CallOptions): Promise<void>;
  /** False when the registry does not know the instance, or knows an older one: register again. */
  renew(app: string, id: string, dirtyTimestampMs: number, options?: CallOptions): Promise<boolean>;
  /** Takes the instance out. An instance that the registry does not know is out already. */
  cancel(app: string, id: string, options?: CallOptions): Promise<void>;
  /** Every instance of every application. */
  fetchAll(options?: CallOptions): Promise<ServiceInstance[]>;
  /** Fetches the changes of the last minutes; undefined when this registry does not tell. */
  fetchDelta(options?: CallOptions): Promise<RegistryDelta | undefined>;
  /** Opens the registry's change stream; undefined when this registry has none. */
  openChanges(lastEventId: string | undefined, signal: AbortSignal): Promise<EventStream | undefined>;
}

/**
 * Makes a client of one registry or of several that replicate: it stays with the one that answered last, and moves
 * to the next when that one cannot be reached.
 *
 * @param urls base addresses, such as `http://localhost:8761/eureka`; credentials in one are sent as basic auth
 * @param token sent as a bearer token to registries whose address has no credentials
 * @param hosts places where instances may be @default anywhere where a service can be
 */
export function createEurekaClient({
  urls,
  token,
  hosts = anyHost,
}: {
  urls: readonly string[];
  token?: string | undefined;
  hosts?: InstanceHosts;
}): EurekaClient {
  const calls = new RegistryCalls(urls, token);
  return {
    hosts,
    async register(app, registration, options) {
      const path = `/apps/${encodeURIComponent(app.toUpperCase())}`;
      const answer = await calls.call('register', { method: 'POST', path, body: registration }, options);
      expectOk('register', answer);
    },
    async renew(app, id, dirtyTimestampMs, options) {
      const path = `${instancePath(app, id)}?status=UP&lastDirtyTimestamp=${dirtyTimestampMs}`;
      const answer = await calls.call('renew', { method: 'PUT', path }, options);
      if (answer.status === 404) return false;
      expectOk('renew', answer);
      return true;
    },
    async cancel(app, id, options) {
      const answer = await calls.call('cancel', { method: 'DELETE', path: instancePath(app, id) }, options);
      if (answer.status !== 404) expectOk('cancel', answer);
    },
    async fetchAll(options) {
      const answer = await calls.call('fetch', { method: 'GET', path: '/apps' }, options);
      expectOk('fetch', answer);
      return parseApplications(jsonOf('fetch', answer), hosts);
    },
    async fetchDelta(options) {
      const answer = await calls.call('fetch delta', { method: 'GET', path: '/apps/delta' }, options);
      // A registry that is told not to serve deltas answers 403 or 404.
      return answer.status === 200 ? parseDelta(jsonOf('fetch delta', answer), hosts) : undefined;
    },
    openChanges: (lastEventId, signal) => calls.openStream('/changes', lastEventId, signal),
  };
}

function instancePath(app: string, id: string): string {
  return `/apps/${encodeURIComponent(app.toUpperCase())}/${encodeURIComponent(id)}`;
}

function expectOk(operation: string, answer: RegistryAnswer): void {
  if (answer.status >= 300 || answer.contentType.startsWith('text/html'))
    throw new EurekaResponseError(operation, answer);
}

function jsonOf(operation: string, answer: RegistryAnswer): unknown {
  try {
    return JSON.parse(answer.text);
  } catch {
    throw new EurekaResponseError(operation, answer);
  }
}
