import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { type ApacheKafka, fetchLibraries, NotAvailableError, startApacheKafka } from './apache-kafka.ts';

/** The newest that was tried. */
const defaultVersion = '4.4.0';
const root = join(import.meta.dirname, '..', '..');

/** The contract of a broker, and the scenarios in which events matter, with a system that uses this broker. */
const runs = [
  ['tests/kafka/apache.test.ts', 'tests/kafka/secure.test.ts', 'tests/order-to-subscriber', 'tests/events'],
  // They share the broker, and chaos leaves dead letters there.
  ['tests/chaos'],
];

/** Runs the event tests over Apache Kafka. @returns vitest's exit code */
async function main(): Promise<number> {
  const version = process.env['KAFKA_VERSION'] || defaultVersion;
  const libraries = await fetchLibraries(version, join(root, '.portico', 'apache-kafka'));
  const kafka = await startApacheKafka(libraries);
  console.log(`Apache Kafka ${version} is ready on ${kafka.address}`);
  try {
    for (const tests of runs) {
      const code = await runTests(tests, kafka);
      if (code !== 0) return code;
    }
    return 0;
  } finally {
    await kafka.close();
  }
}

async function runTests(tests: readonly string[], kafka: ApacheKafka): Promise<number> {
  const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
  const child = spawn(process.execPath, [vitest, 'run', '--project', 'e2e', '--project', 'long', ...tests], {
    cwd: root,
    env: {
      ...process.env,
      KAFKA_BROKERS: kafka.address,
      KAFKA_SECURE_LISTENER: JSON.stringify(kafka.secure),
    },
    stdio: 'inherit',
  });
  // Whoever stops this run stops the tests, and the broker after them.
  const stop = (signal: NodeJS.Signals) => child.kill(signal);
  process.once('SIGINT', stop).once('SIGTERM', stop);
  const [code] = (await once(child, 'exit')) as [number | null];
  process.off('SIGINT', stop).off('SIGTERM', stop);
  return code ?? 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof NotAvailableError)) throw error;
  console.log(`Skipped: the contract with Apache Kafka, as ${error.message}`);
}
