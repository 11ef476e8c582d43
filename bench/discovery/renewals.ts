import { execFile } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { percentile } from '../figures.ts';
import { registerInstance, renewInstance } from './instances.ts';
import type { MeasuredRegistry } from './registry-process.ts';

const instances = 10_000;
const intervalSeconds = 30;
const measuredSeconds = 60;
const readIntervalMs = 5_000;

const run = promisify(execFile);

async function timed(call: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await call();
  return performance.now() - startedAt;
}

/** Renews each instance once per interval, evenly spread. @returns how long each renewal took, in ms */
async function renewFor(seconds: number, { pool }: MeasuredRegistry): Promise<number[]> {
  const latenciesMs: number[] = [];
  const perSecond = instances / intervalSeconds;
  const pending = new Set<Promise<void>>();
  const startedAt = performance.now();
  for (let count = 0; count < perSecond * seconds; count++) {
    const dueAt = startedAt + (count * 1000) / perSecond;
    if (dueAt - performance.now() > 1) await delay(dueAt - performance.now());
    const renewal = timed(() => renewInstance(pool, count % instances)).then(ms => {
      latenciesMs.push(ms);
      pending.delete(renewal);
    });
    pending.add(renewal);
  }
  await Promise.all(pending);
  return latenciesMs;
}

/** Measures what ten thousand instances cost that renew every thirty seconds, alone and with readers. */
export async function measureRenewals(registry: MeasuredRegistry): Promise<void> {
  const { url } = registry;
  const registeringMs = await timed(async () => {
    for (let index = 0; index < instances; index += 16)
      await Promise.all(
        Array.from({ length: Math.min(16, instances - index) }, (_, offset) =>
          registerInstance(registry.pool, index + offset),
        ),
      );
  });
  console.log(`registering ${instances} instances: ${(registeringMs / 1000).toFixed(1)} s`);
  await report(registry, 'nobody reads');

  const churn = setInterval(() => void registerInstance(registry.pool, 0), readIntervalMs);
  const readers = ['/eureka/apps', '/eureka/apps/delta', '/prometheus/http_sd'].map(path =>
    setInterval(
      () => void read(`${url}${path}`, 'application/json', '-H', 'accept-encoding: gzip'),
      readIntervalMs,
    ),
  );
  await report(registry, 'all, delta and http_sd read, and one changed, every 5 s');
  for (const timer of [churn, ...readers]) clearInterval(timer);

  for (const accept of ['application/json', 'application/xml']) await reportListing(registry, accept);
}

async function reportListing({ pool, url }: MeasuredRegistry, accept: string): Promise<void> {
  const [made, shared]: [number[], number[]] = [[], []];
  let megabytes = 0;
  for (let count = 0; count < 10; count++) {
    await registerInstance(pool, 0);
    const first = await read(`${url}/eureka/apps`, accept);
    made.push(first.firstByteMs);
    shared.push((await read(`${url}/eureka/apps`, accept)).firstByteMs);
    ({ megabytes } = first);
  }
  console.log(
    `GET /eureka/apps as ${accept}, ${megabytes.toFixed(1)} MB, first byte of ten: when it has to be made, median ` +
      `${percentile(made, 0.5).toFixed(0)} ms, max ${Math.max(...made).toFixed(0)} ms; when it is shared, median ` +
      `${percentile(shared, 0.5).toFixed(0)} ms`,
  );
}

/** Reads in a process of its own, which does not hold up the renewals. */
async function read(url: string, accept: string, ...args: string[]) {
  const format = '%{time_starttransfer} %{size_download}';
  const { stdout } = await run('curl', [
    '-s',
    '-o',
    '/dev/null',
    '-w',
    format,
    '-H',
    `accept: ${accept}`,
    ...args,
    url,
  ]);
  const [firstByteSeconds = Number.NaN, bytes = Number.NaN] = stdout.split(' ').map(Number);
  return { firstByteMs: firstByteSeconds * 1000, megabytes: bytes / 1_000_000 };
}

async function report(registry: MeasuredRegistry, what: string): Promise<void> {
  const before = await registry.cpuSeconds();
  const latenciesMs = await renewFor(measuredSeconds, registry);
  const share = ((await registry.cpuSeconds()) - before) / measuredSeconds;
  console.log(
    `${instances} instances renewing every ${intervalSeconds} s, ${what}: ` +
      `${(share * 100).toFixed(1)} % of one core, ${(await registry.residentMiB()).toFixed(0)} MiB resident, ` +
      `renewal p50 ${percentile(latenciesMs, 0.5).toFixed(1)} ms, p99 ${percentile(latenciesMs, 0.99).toFixed(1)} ms`,
  );
}
