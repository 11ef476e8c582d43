import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs, styleText } from 'node:util';
import { build } from '../../dev/build.ts';
import { logToFiles } from '../../dev/logs.ts';
import { stopRequests } from '../../dev/stop.ts';
import { figuresOf } from './figures.ts';
import { type ChaosResult, runChaos } from './run.ts';

const usage = `usage: npm run chaos -- [--seconds 120] [--seed 1] [--customers 12] [--keep]

Starts a system of its own, with two instances of each service and empty data, and kills its processes by a schedule
that follows from the seed, while customers order. With KAFKA_BROKERS those brokers are used, and left alone.

  --keep   keeps the data and the logs, and says where they are; after a violation they are kept anyway`;

function wholeNumber(name: string, text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new Error(`--${name} expected a whole number above 0, but got '${text}'\n${usage}`);
}

function report(result: ChaosResult): void {
  console.log();
  for (const [name, figure] of Object.entries(figuresOf(result)))
    console.log(`  ${name.padEnd(40)} ${String(figure).padStart(6)}`);
  console.log();
  for (const { guarantee, subject, what } of result.violations)
    console.log(styleText('red', `  ${guarantee}: ${subject}: ${what}`));
  console.log(
    result.violations.length === 0
      ? styleText('green', 'All four guarantees hold.')
      : styleText('red', `${result.violations.length} violations.`),
  );
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string', default: '120' },
      seed: { type: 'string', default: '1' },
      customers: { type: 'string', default: '12' },
      keep: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(usage);
    return 0;
  }
  const [seconds, seed, customers] = (['seconds', 'seed', 'customers'] as const).map(name =>
    wholeNumber(name, values[name]),
  ) as [number, number, number];
  await build();
  const dataDir = await mkdtemp(join(tmpdir(), 'portico-chaos-'));
  // PostgreSQL, which does not run as root, must be able to pass through it.
  await chmod(dataDir, 0o755);
  const stop = stopRequests();
  const startedAtMs = performance.now();
  const result = await runChaos({
    seconds,
    seed,
    customers,
    dataDir,
    kafkaBrokers: process.env['KAFKA_BROKERS'],
    signal: stop,
    onLine: logToFiles(dataDir),
    onEvent: what =>
      console.log(`${((performance.now() - startedAtMs) / 1_000).toFixed(1).padStart(7)} s  ${what}`),
  });
  await result.system.close();
  report(result);
  if (values.keep || result.violations.length > 0) console.log(`The data and the logs are in ${dataDir}`);
  else await rm(dataDir, { recursive: true, force: true });
  return result.violations.length === 0 ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(styleText('red', (error as Error).message));
  process.exitCode = 1;
}
