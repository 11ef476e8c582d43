import { startBenchProcess } from '../process.ts';
import type { Summary } from './subscribers.ts';
import type { Target } from './targets.ts';

/** Subscribers in a process of their own. */
export interface Subscribers {
  /** Opens that many more; each has its WebSocket to itself, and the n-th uses the n-th token. */
  open(target: Target, options: { query: string; count: number; tokens?: readonly string[] }): Promise<void>;
  /** Results since the last {@link forget}. */
  readonly received: number;
  /** Resolves when there are that many. */
  untilReceived(results: number): Promise<void>;
  forget(): Promise<void>;
  summarize(): Promise<Summary>;
  /** Ends all subscriptions. */
  close(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts a process of subscribers. */
export async function startSubscribers(): Promise<Subscribers> {
  const process = startBenchProcess('bench/live/subscribers.ts');
  let received = 0;
  let waiting: { readonly results: number; readonly resolve: () => void } | undefined;
  process.on('received', ({ results }) => {
    received = Number(results);
    if (waiting && received >= waiting.results) waiting.resolve();
  });
  await process.next('ready');

  async function ask<T>(type: string, more: object = {}): Promise<T> {
    const done = process.next<T>(`${type}:done`);
    process.send({ type, ...more });
    return done;
  }

  return {
    open: ({ url }, { tokens = [], ...options }) => ask('open', { url, tokens, ...options }),
    get received() {
      return received;
    },
    untilReceived(results) {
      if (received >= results) return Promise.resolve();
      return new Promise(resolve => {
        waiting = { results, resolve };
      });
    },
    async forget() {
      await ask('forget');
      received = 0;
    },
    summarize: () => ask('summarize'),
    close: () => ask('close'),
    stop: () => process.stop(),
  };
}
