import { LRUCache } from 'lru-cache';
import * as z from 'zod';
import { messageOf } from '../../platform/errors.ts';
import type { Logger } from '../../platform/log.ts';
import type { GatewayConfig } from '../config.ts';
import type { OperationCaller } from '../security/operation-caller.ts';
import type { PolicySource } from './policies.ts';

type WebhookConfig = Pick<
  GatewayConfig,
  'AUTHORIZATION_POLICIES_TTL_MS' | 'AUTHORIZATION_POLICIES_TIMEOUT_MS'
>;

/** Callers whose decisions are remembered. */
const maxCallers = 10_000;
/** Wait until a webhook that has failed is asked again, in ms. */
const retryMs = 1_000;

const answerSchema = z.object({ granted: z.array(z.string()) });

/** Policies that one caller is granted. */
interface Decision {
  readonly granted: ReadonlySet<string>;
  /** Time from which it is asked anew, in ms of `performance.now()`. */
  readonly staleAtMs: number;
  /** Time from which it counts no more. */
  readonly endsAtMs: number;
  /** Number of policies that were asked for. */
  readonly asked: number;
}

const nothing: Decision = { granted: new Set(), staleAtMs: 0, endsAtMs: 0, asked: 0 };

/**
 * Asks an address which policies a caller is granted: `POST {"caller":{"id","scopes"},"policies":["a"]}`, with null for nobody, is
 * answered with `{"granted":["a"]}`. A decision is good for a time, and while subscriptions go on it is renewed in the
 * background. What can't be decided is not granted.
 */
export function policiesByWebhook(url: string, config: WebhookConfig, log: Logger): PolicySource {
  const { AUTHORIZATION_POLICIES_TTL_MS: ttlMs, AUTHORIZATION_POLICIES_TIMEOUT_MS: timeoutMs } = config;
  const names = new Set<string>();
  const decisions = new LRUCache<string, Decision>({ max: maxCallers });
  const asking = new Map<string, Promise<void>>();
  let isFailing = false;

  async function ask({ caller }: OperationCaller): Promise<Decision> {
    const asked = names.size;
    try {
      const response = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({
          caller: caller ? { id: caller.id, scopes: caller.scopes } : null,
          policies: [...names],
        }),
        signal: AbortSignal.timeout(timeoutMs),
      });
      if (!response.ok) throw new Error(`it was answered with status ${response.status}`);
      const { granted } = answerSchema.parse(await response.json());
      if (isFailing) log.info('The webhook of policies answers again');
      isFailing = false;
      const nowMs = performance.now();
      return { granted: new Set(granted), staleAtMs: nowMs + ttlMs, endsAtMs: nowMs + 2 * ttlMs, asked };
    } catch (error) {
      if (!isFailing)
        log.warn(
          { err: error },
          `The webhook of policies can't decide, so nothing is granted: ${messageOf(error)}`,
        );
      isFailing = true;
      return {
        ...nothing,
        staleAtMs: performance.now() + retryMs,
        endsAtMs: Number.POSITIVE_INFINITY,
        asked,
      };
    }
  }

  /** Asks once for all that want to know at the same time. */
  function renew(caller: OperationCaller): Promise<void> {
    const { key } = caller;
    const known = asking.get(key);
    if (known) return known;
    const asked = ask(caller)
      .then(decision => void decisions.set(key, decision))
      .finally(() => asking.delete(key));
    asking.set(key, asked);
    return asked;
  }

  const isStale = ({ staleAtMs, asked }: Decision) => performance.now() >= staleAtMs || asked < names.size;

  function decisionOn(caller: OperationCaller): Decision {
    const decision = decisions.get(caller.key) ?? nothing;
    if (names.size > 0 && isStale(decision)) void renew(caller);
    return performance.now() < decision.endsAtMs ? decision : nothing;
  }

  return {
    expect(expected) {
      for (const name of expected) names.add(name);
    },
    decisionOn,
    decide: (name, caller) => decisionOn(caller).granted.has(name),
    async prepare(caller) {
      if (names.size > 0 && isStale(decisions.get(caller.key) ?? nothing)) await renew(caller);
    },
  };
}
