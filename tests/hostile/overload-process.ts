import { setTimeout as delay } from 'node:timers/promises';
import { Agent, request } from 'undici';

/*
 * Sends queries to a gateway when it is told to, each of its own kind so that none shares an answer: over connections that each
 * wait for their answer, or at a rate, however long the answers take.
 */

/** Load to send. */
export interface LoadMessage {
  readonly url: string;
  readonly query: string;
  readonly seconds: number;
  /** Requests at once, each of which waits for its answer. */
  readonly concurrency?: number;
  /** Requests a second. */
  readonly ratePerSecond?: number;
}

/** Outcome of a load. */
export interface LoadOutcome {
  readonly perSecond: number;
  readonly accepted: number;
  readonly refused: number;
  /** Answers that were neither, by what they were. */
  readonly others: Readonly<Record<string, number>>;
  readonly acceptedP50Ms: number;
  readonly acceptedP99Ms: number;
  readonly refusedP99Ms: number;
  /** True if each that was refused says when to come again. */
  readonly saysWhen: boolean;
}

const agent = new Agent({ connections: 512, pipelining: 1 });
let sent = 0;

async function run({ url, query, seconds, concurrency, ratePerSecond }: LoadMessage): Promise<LoadOutcome> {
  const acceptedMs: number[] = [];
  const refusedMs: number[] = [];
  const others: Record<string, number> = {};
  let saysWhen = true;

  async function sendOne(): Promise<void> {
    sent += 1;
    const startedAtMs = performance.now();
    try {
      const { statusCode, headers, body } = await request(url, {
        dispatcher: agent,
        method: 'POST',
        headers: { 'content-type': 'application/json', 'accept-language': `x-${sent}` },
        body: JSON.stringify({ query }),
      });
      const text = await body.text();
      const tookMs = performance.now() - startedAtMs;
      if (statusCode === 200 && !text.includes('"errors"')) acceptedMs.push(tookMs);
      else if (statusCode === 503) {
        refusedMs.push(tookMs);
        saysWhen &&= headers['retry-after'] === '1';
      } else
        others[`${statusCode} ${text.slice(0, 200)}`] =
          (others[`${statusCode} ${text.slice(0, 200)}`] ?? 0) + 1;
    } catch (error) {
      others[String(error)] = (others[String(error)] ?? 0) + 1;
    }
  }

  const startedAtMs = performance.now();
  const endsAtMs = startedAtMs + seconds * 1_000;
  const underWay = new Set<Promise<void>>();
  if (ratePerSecond === undefined)
    await Promise.all(
      Array.from({ length: concurrency ?? 1 }, async () => {
        while (performance.now() < endsAtMs) await sendOne();
      }),
    );
  else
    for (let begun = 0; performance.now() < endsAtMs; await delay(5)) {
      const due = ((performance.now() - startedAtMs) / 1_000) * ratePerSecond;
      for (; begun < due; begun += 1) {
        const each = sendOne().finally(() => underWay.delete(each));
        underWay.add(each);
      }
    }
  await Promise.all(underWay);
  const elapsedSeconds = (performance.now() - startedAtMs) / 1_000;
  const percentile = (values: number[], share: number) =>
    values.sort((a, b) => a - b)[Math.floor(values.length * share)] ?? 0;
  return {
    perSecond: (acceptedMs.length + refusedMs.length) / elapsedSeconds,
    accepted: acceptedMs.length,
    refused: refusedMs.length,
    others,
    acceptedP50Ms: percentile(acceptedMs, 0.5),
    acceptedP99Ms: percentile(acceptedMs, 0.99),
    refusedP99Ms: percentile(refusedMs, 0.99),
    saysWhen,
  };
}

process.on('message', (message: LoadMessage) => {
  void run(message).then(outcome => process.send?.(outcome));
});
process.on('disconnect', () => process.exit());
