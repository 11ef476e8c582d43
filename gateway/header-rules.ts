import type { IncomingHttpHeaders } from 'node:http';
import type { GatewayConfig } from './config.ts';

/** Headers of one client's request that go on to subgraphs, and what comes back from them. */
export interface PassedHeaders {
  /** Headers of each fetch. */
  readonly request: Readonly<Record<string, string>>;
  /** Text that is the same for equal headers of each fetch only. */
  readonly requestKey: string;
  /** True if fetches may share answers. */
  readonly sharesFetches: boolean;
  /** Tells if an answer with these headers is for one request only: `no-store`, or something that goes on to the client. */
  isForOne(headers: IncomingHttpHeaders): boolean;
  /** Takes the headers of a subgraph's answer. */
  collect(headers: IncomingHttpHeaders): void;
  /** Says that a fetch failed or came with errors: what the client gets is not whole, and may not be kept. */
  failed(): void;
  /** Says that what a subgraph answered is for this request only. */
  unshare(): void;
  /**
   * True if an equal request may get the same answer: no subgraph has said `no-store`, and none has sent a header that
   * goes on to the client, such as a cookie.
   */
  readonly isShareable: boolean;
  /** Headers for the client, when all fetches are done. */
  response(): Record<string, string | string[]>;
}

/** Names of the headers that are passed on. */
export interface HeaderRules {
  /** Names, in lower case, of what goes to subgraphs; nothing else does. */
  readonly toSubgraphs: readonly string[];
  /** Names, in lower case, of what comes back. */
  readonly toClients: readonly string[];
}

/** The rules of a gateway's settings, in which names may have any case. */
export function headerRulesOf(
  config: Pick<GatewayConfig, 'HEADERS_TO_SUBGRAPHS' | 'HEADERS_TO_CLIENTS'>,
): HeaderRules {
  return {
    toSubgraphs: config.HEADERS_TO_SUBGRAPHS.map(name => name.toLowerCase()),
    toClients: config.HEADERS_TO_CLIENTS.map(name => name.toLowerCase()),
  };
}

/** Begins to pass headers for one request. */
export function passHeaders(
  rules: HeaderRules,
  incoming: Readonly<Record<string, string | string[] | undefined>>,
): PassedHeaders {
  const request: Record<string, string> = {};
  for (const name of rules.toSubgraphs) {
    const value = incoming[name];
    if (value !== undefined) request[name] = oneLine(value);
  }
  return new BothWays(request, rules.toClients);
}

/** Headers that go to subgraphs, and those that come back. Most requests share an execution, and need none of the latter. */
class BothWays implements PassedHeaders {
  readonly request: Readonly<Record<string, string>>;
  readonly sharesFetches = true;
  readonly #toClients: readonly string[];
  #requestKey: string | undefined;
  #isShareable = true;
  #collected: Map<string, string[]> | undefined;
  #cacheControls: (string | undefined)[] | undefined;

  constructor(request: Readonly<Record<string, string>>, toClients: readonly string[]) {
    this.request = request;
    this.#toClients = toClients;
  }

  get requestKey(): string {
    this.#requestKey ??= JSON.stringify(this.request);
    return this.#requestKey;
  }

  get isShareable(): boolean {
    return this.#isShareable;
  }

  unshare(): void {
    this.#isShareable = false;
  }

  isForOne(headers: IncomingHttpHeaders): boolean {
    const cacheControl = oneLine(headers['cache-control']);
    if (cacheControl !== undefined && /\bno-store\b/i.test(cacheControl)) return true;
    return this.#toClients.some(name => name !== 'cache-control' && headers[name] !== undefined);
  }

  collect(headers: IncomingHttpHeaders): void {
    if (this.isForOne(headers)) this.#isShareable = false;
    for (const name of this.#toClients) {
      const value = headers[name];
      if (name === 'cache-control') this.#addCacheControl(oneLine(headers['cache-control']));
      else if (value !== undefined) this.#add(name, Array.isArray(value) ? value : [value]);
    }
  }

  failed(): void {
    if (this.#toClients.includes('cache-control')) this.#addCacheControl('no-store');
  }

  response(): Record<string, string | string[]> {
    const response: Record<string, string | string[]> = {};
    for (const [name, values] of this.#collected ?? [])
      response[name] = name === 'set-cookie' ? values : (values.at(-1) ?? '');
    const cacheControl = strictestCacheControl(this.#cacheControls ?? []);
    if (cacheControl) response['cache-control'] = cacheControl;
    return response;
  }

  #add(name: string, values: readonly string[]): void {
    this.#collected ??= new Map();
    this.#collected.set(name, [...(this.#collected.get(name) ?? []), ...values]);
  }

  #addCacheControl(value: string | undefined): void {
    this.#cacheControls ??= [];
    this.#cacheControls.push(value);
  }
}

/** A header that came in several lines, as one: RFC 9110, section 5.3. */
function oneLine(value: string | string[]): string;
function oneLine(value: string | string[] | undefined): string | undefined;
function oneLine(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(', ') : value;
}

/** Passes these headers to subgraphs, and none back: what is answered has no headers of its own. */
export function passOneWay(request: PassedHeaders['request']): PassedHeaders {
  return {
    request,
    get requestKey() {
      return JSON.stringify(request);
    },
    sharesFetches: false,
    isForOne: () => true,
    collect() {},
    failed() {},
    unshare() {},
    isShareable: false,
    response: () => ({}),
  };
}

/** Of the headers that go to subgraphs, those that hold for as long as a client listens; a trace is of one request. */
export function lastingHeaders(request: PassedHeaders['request']): PassedHeaders['request'] {
  return Object.fromEntries(Object.entries(request).filter(([name]) => !traceHeaders.has(name)));
}

/** https://www.w3.org/TR/trace-context/ and https://www.w3.org/TR/baggage/ */
const traceHeaders: ReadonlySet<string> = new Set(['traceparent', 'tracestate', 'baggage']);

/** Longest time that caches have to be able to count, in s: RFC 9111, section 1.2.2. */
const maxAgeLimitSeconds = 2 ** 31;

/**
 * An answer that is made of several may be kept as long as each of them: the shortest `max-age`; private if one is; not
 * at all if one says so, or says nothing.
 */
function strictestCacheControl(values: readonly (string | undefined)[]): string | undefined {
  if (values.every(value => value === undefined)) return undefined;
  let maxAgeSeconds = maxAgeLimitSeconds;
  let isPrivate = false;
  for (const value of values) {
    const directives = (value ?? 'no-store').toLowerCase();
    if (/\bno-store\b|\bno-cache\b/.test(directives)) return 'no-store';
    const [, age] = /\bmax-age=(\d+)/.exec(directives) ?? [];
    if (age === undefined) return 'no-store';
    maxAgeSeconds = Math.min(maxAgeSeconds, Number(age));
    isPrivate ||= /\bprivate\b/.test(directives);
  }
  return `max-age=${maxAgeSeconds}, ${isPrivate ? 'private' : 'public'}`;
}
