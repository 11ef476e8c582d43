import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { JWTPayload } from 'jose';
import { readBounded } from '../../platform/bounded-text.ts';
import { messageOf, PorticoError } from '../../platform/errors.ts';
import { type Closable, closeOnce } from '../../platform/lifecycle.ts';
import type { Logger } from '../../platform/log.ts';
import { repeat } from '../../platform/repeat.ts';
import type { GatewayConfig } from '../config.ts';

/** Claims by which a token may be denied (RFC 7519). */
export type TokenClaims = { readonly [Name in 'jti' | 'sub' | 'iat']?: JWTPayload[Name] | undefined };

/** One entry; what else it has is passed over. */
interface Entry {
  readonly jti?: unknown;
  readonly sub?: unknown;
  /** In seconds since 1970; without it, all tokens of the subject are denied. */
  readonly issuedBefore?: unknown;
}

/** Tokens that are not accepted although they verify: of a customer that signed out, or that leaked. */
export interface DenyList extends Closable {
  /** @throws PorticoError SERVICE_UNAVAILABLE until the list has been read once */
  isDenied(token: TokenClaims): boolean;
  /** Calls back, once, when a token is denied from now on. @returns what stops that */
  watch(token: TokenClaims, onDenied: () => void): () => void;
}

type DenyListConfig = Pick<GatewayConfig, 'JWT_DENY_LIST_URL' | 'JWT_DENY_LIST_INTERVAL_MS'>;

/** Longest time of one reading, in ms. */
const readTimeoutMs = 5_000;
/** Largest list from an address. */
const maxListBytes = 67_108_864;

/** Reads the list again and again. While it can't be read, the last one counts. @returns undefined without a setting */
export function followDenyList(config: DenyListConfig, log: Logger): DenyList | undefined {
  const { JWT_DENY_LIST_URL: url, JWT_DENY_LIST_INTERVAL_MS: intervalMs } = config;
  if (!url) return undefined;
  let denied: Denied | undefined;
  let readText: string | undefined;
  let isFailing = false;
  const watchers = new Set<{ readonly token: TokenClaims; readonly onDenied: () => void }>();

  async function refresh(): Promise<number> {
    try {
      const text = await readList(new URL(url as string));
      if (text !== readText) denied = new Denied(JSON.parse(text));
      readText = text;
      if (isFailing) log.info('The list of denied tokens is read again');
      isFailing = false;
    } catch (error) {
      if (!isFailing)
        log.warn({ err: error }, `The list of denied tokens can't be read: ${messageOf(error)}`);
      isFailing = true;
    }
    for (const watcher of watchers)
      if (denied?.has(watcher.token)) {
        watchers.delete(watcher);
        watcher.onDenied();
      }
    return intervalMs;
  }

  const reading = repeat(refresh);
  return {
    isDenied(token) {
      if (!denied)
        throw new PorticoError('SERVICE_UNAVAILABLE', "The list of denied tokens can't be had; try again");
      return denied.has(token);
    },
    watch(token, onDenied) {
      const watcher = { token, onDenied };
      watchers.add(watcher);
      return () => watchers.delete(watcher);
    },
    close: closeOnce(() => reading.close()),
  };
}

/** One reading of the list. */
class Denied {
  readonly #ids = new Set<string>();
  readonly #beforeBySubject = new Map<string, number>();

  /** @throws Error when an entry says neither of which token nor of which subject it is */
  constructor(list: unknown) {
    if (!Array.isArray(list)) throw new Error('it is no list');
    for (const each of list as readonly (Entry | null)[]) {
      const { jti, sub, issuedBefore = Number.POSITIVE_INFINITY } = each ?? {};
      if (typeof jti === 'string') this.#ids.add(jti);
      else if (typeof sub === 'string' && typeof issuedBefore === 'number')
        this.#beforeBySubject.set(sub, Math.max(issuedBefore, this.#beforeBySubject.get(sub) ?? 0));
      else throw new Error(`an entry has neither jti nor sub: ${JSON.stringify(each)?.slice(0, 200)}`);
    }
  }

  has({ jti, sub, iat = 0 }: TokenClaims): boolean {
    if (jti !== undefined && this.#ids.has(jti)) return true;
    const before = sub === undefined ? undefined : this.#beforeBySubject.get(sub);
    return before !== undefined && iat < before;
  }
}

async function readList(url: URL): Promise<string> {
  if (url.protocol === 'file:') return readFile(fileURLToPath(url), 'utf8');
  const response = await fetch(url, { signal: AbortSignal.timeout(readTimeoutMs) });
  if (!response.ok) throw new Error(`it was answered with status ${response.status}`);
  return response.body ? readBounded(response.body as AsyncIterable<Uint8Array>, maxListBytes) : '';
}
