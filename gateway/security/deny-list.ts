import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { JWTPayload } from 'jose';
import * as z from 'zod';
import { messageOf, PorticoError } from '../../platform/errors.ts';
import { type Closable, closeOnce } from '../../platform/lifecycle.ts';
import type { Logger } from '../../platform/log.ts';
import { repeat } from '../../platform/repeat.ts';
import type { GatewayConfig } from '../config.ts';

/** Claims by which a token may be denied (RFC 7519). */
export type TokenClaims = { readonly [Name in 'jti' | 'sub' | 'iat']?: JWTPayload[Name] | undefined };

const entry = z.union([
  z.strictObject({ jti: z.string() }),
  z.strictObject({
    sub: z.string(),
    /** In seconds since 1970; without it, all tokens of the subject are denied. */
    issuedBefore: z.number().optional(),
  }),
]);
const entries = z.array(entry).max(1_000_000);
type Entry = z.infer<typeof entry>;

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

/** Reads the list again and again. While it can't be read, the last one counts. @returns undefined without a setting */
export function followDenyList(config: DenyListConfig, log: Logger): DenyList | undefined {
  const { JWT_DENY_LIST_URL: url, JWT_DENY_LIST_INTERVAL_MS: intervalMs } = config;
  if (!url) return undefined;
  let denied: Denied | undefined;
  let isFailing = false;
  const watchers = new Set<{ readonly token: TokenClaims; readonly onDenied: () => void }>();

  async function refresh(): Promise<number> {
    try {
      denied = new Denied(entries.parse(JSON.parse(await readText(new URL(url as string)))));
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

  constructor(list: readonly Entry[]) {
    for (const each of list)
      if ('jti' in each) this.#ids.add(each.jti);
      else {
        const before = each.issuedBefore ?? Number.POSITIVE_INFINITY;
        this.#beforeBySubject.set(each.sub, Math.max(before, this.#beforeBySubject.get(each.sub) ?? 0));
      }
  }

  has({ jti, sub, iat = 0 }: TokenClaims): boolean {
    if (jti !== undefined && this.#ids.has(jti)) return true;
    const before = sub === undefined ? undefined : this.#beforeBySubject.get(sub);
    return before !== undefined && iat < before;
  }
}

async function readText(url: URL): Promise<string> {
  if (url.protocol === 'file:') return readFile(fileURLToPath(url), 'utf8');
  const response = await fetch(url, { signal: AbortSignal.timeout(readTimeoutMs) });
  if (!response.ok) throw new Error(`it was answered with status ${response.status}`);
  return response.text();
}
