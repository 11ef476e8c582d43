import { type Dispatcher, Pool } from 'undici';
import { type LoadRequest, loads } from './federation.ts';

/*
 * Sends a load to a gateway over a number of connections, each with one request at a time, when it is told to. Every answer
 * has to be complete: status 200, data, no errors.
 */

interface RunMessage {
  readonly type: string;
  readonly load: string;
  readonly url: string;
  readonly connections: number;
  readonly seconds: number;
}

/** How long requests took, in ms, and how large their answers were. */
interface Tally {
  readonly latenciesMs: number[];
  bytes: number;
}

let sent = 0;

function runOnce(pool: Pool, body: string, language: string | undefined): Promise<Buffer> {
  const options: Dispatcher.DispatchOptions = {
    path: '/graphql',
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json',
      ...(language === undefined ? {} : { 'accept-language': language }),
    },
    body,
  };
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let status = 0;
    pool.dispatch(options, {
      onRequestStart() {},
      onResponseStart(_controller, statusCode) {
        status = statusCode;
      },
      onResponseData(_controller, chunk) {
        chunks.push(chunk);
      },
      onResponseEnd() {
        const answer = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
        if (status === 200 && answer.subarray(0, 10).includes('"data"')) resolve(answer);
        else reject(new Error(`A request expected data, but got ${status} ${answer.toString()}`));
      },
      onResponseError: (_controller, error) => reject(error),
    });
  });
}

async function sendUntil(
  pool: Pool,
  bodies: readonly string[],
  distinct: boolean,
  deadlineMs: number,
  tally: Tally,
) {
  for (;;) {
    const startedAtMs = performance.now();
    if (startedAtMs >= deadlineMs) return;
    sent += 1;
    const answer = await runOnce(
      pool,
      bodies[sent % bodies.length] ?? '',
      distinct ? `x-${sent}` : undefined,
    );
    tally.bytes += answer.length;
    tally.latenciesMs.push(performance.now() - startedAtMs);
  }
}

process.on('message', async ({ type, load, url, connections, seconds }: RunMessage) => {
  if (type !== 'run') return;
  const { requests, distinctHeaders } = loads[load] ?? { requests: [], distinctHeaders: false };
  const bodies = requests.map((request: LoadRequest) => JSON.stringify(request));
  const pool = new Pool(new URL(url).origin, { connections, keepAliveTimeout: 60_000 });
  // One after the other: that answers are whole is checked before they are counted.
  for (const body of bodies) {
    const answer = JSON.parse((await runOnce(pool, body, undefined)).toString()) as { errors?: unknown };
    if (answer.errors)
      throw new Error(`The load '${load}' expected no errors, but got ${JSON.stringify(answer.errors)}`);
  }
  const tally: Tally = { latenciesMs: [], bytes: 0 };
  const startedAtMs = performance.now();
  const deadlineMs = startedAtMs + seconds * 1_000;
  await Promise.all(
    Array.from({ length: connections }, () => sendUntil(pool, bodies, distinctHeaders, deadlineMs, tally)),
  );
  const elapsedSeconds = (performance.now() - startedAtMs) / 1_000;
  await pool.close();
  const sorted = tally.latenciesMs.sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.floor(share * (sorted.length - 1))] ?? Number.NaN;
  process.send?.({
    type: 'done',
    requests: sorted.length,
    perSecond: sorted.length / elapsedSeconds,
    bytes: Math.round(tally.bytes / sorted.length),
    p50Ms: at(0.5),
    p99Ms: at(0.99),
  });
});
process.on('disconnect', () => process.exit());
process.send?.({ type: 'ready' });
