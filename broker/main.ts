import { ConfigError } from '../platform/config.ts';
import { onTermination } from '../platform/termination.ts';
import { loadBrokerConfig } from './config.ts';
import { DataDirInUseError, PortTakenError, startBroker } from './server.ts';

const closeTimeoutMs = 10_000;

/** The embedded broker as a process: it ends on SIGTERM, SIGINT and SIGHUP, and with the process that started it. */
async function main(): Promise<void> {
  const stopRequested = new Promise(onTermination);
  const config = loadBrokerConfig(process.env);
  const broker = await startBroker({
    host: config.KAFKA_HOST,
    port: config.KAFKA_PORT,
    advertisedHost: config.KAFKA_ADVERTISED_HOST,
    advertisedPort: config.KAFKA_ADVERTISED_PORT || undefined,
    dataDir: config.KAFKA_DATA_DIR,
    retentionBytes: config.KAFKA_RETENTION_BYTES,
    fsyncEachProduce: config.KAFKA_FSYNC_EACH_PRODUCE,
    minSessionTimeoutMs: config.KAFKA_MIN_SESSION_TIMEOUT_MS,
    log: line => console.error(`kafka: ${line}`),
  });
  console.log(`kafka: the embedded broker is ready on ${broker.host}:${broker.port}`);
  if (process.connected) process.send?.({ type: 'ready', name: 'kafka', port: broker.port });
  await stopRequested;
  const deadline = setTimeout(() => {
    console.error(`kafka: the embedded broker did not close within ${closeTimeoutMs} ms`);
    process.exit(1);
  }, closeTimeoutMs);
  await broker.close();
  clearTimeout(deadline);
}

try {
  await main();
} catch (error) {
  const expected = [ConfigError, PortTakenError, DataDirInUseError];
  console.error(expected.some(kind => error instanceof kind) ? (error as Error).message : error);
  process.exitCode = 1;
}
if (process.connected) process.disconnect();
