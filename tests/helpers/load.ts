import { setTimeout as delay } from 'node:timers/promises';

/** Outcome of a load. */
export interface LoadReport {
  readonly sent: number;
  /** Requests a second that were sent. */
  readonly ratePerSecond: number;
  /** Answers that were not as expected. */
  readonly failures: readonly unknown[];
  readonly p50Ms: number;
  readonly p99Ms: number;
}

interface LoadOptions {
  /** Requests a second to send, however long the answers take. */
  readonly ratePerSecond: number;
  /** Sends one request. @returns what failed about it, or undefined */
  readonly send: () => Promise<unknown>;
}

/** Time between two volleys, in ms. */
const volleyMs = 25;

/** Sends requests at a rate while something happens, and waits for all answers. */
export async function loadWhile(options: LoadOptions, happens: () => Promise<void>): Promise<LoadReport> {
  const { ratePerSecond, send } = options;
  const failures: unknown[] = [];
  const latenciesMs: number[] = [];
  const underWay = new Set<Promise<void>>();
  const startedAtMs = performance.now();
  let going = true;
  let sent = 0;

  async function sendOne(): Promise<void> {
    const sentAtMs = performance.now();
    const failure = await send().catch((error: unknown) => error ?? new Error('it failed without a reason'));
    latenciesMs.push(performance.now() - sentAtMs);
    if (failure !== undefined) failures.push(failure);
  }

  const sending = (async () => {
    while (going) {
      const due = ((performance.now() - startedAtMs) / 1000) * ratePerSecond;
      for (; sent < due; sent++) {
        const request = sendOne().finally(() => underWay.delete(request));
        underWay.add(request);
      }
      await delay(volleyMs);
    }
  })();
  try {
    await happens();
  } finally {
    going = false;
    await sending;
    await Promise.all(underWay);
  }
  const seconds = (performance.now() - startedAtMs) / 1000;
  latenciesMs.sort((a, b) => a - b);
  const percentile = (share: number) => Math.round(latenciesMs[Math.floor(latenciesMs.length * share)] ?? 0);
  return { sent, ratePerSecond: sent / seconds, failures, p50Ms: percentile(0.5), p99Ms: percentile(0.99) };
}
