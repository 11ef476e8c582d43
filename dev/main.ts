import { once } from 'node:events';
import { existsSync, realpathSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs, styleText } from 'node:util';
import pinoPretty from 'pino-pretty';
import { type ServiceName, serviceNames } from '../services.ts';
import { build } from './build.ts';
import type { Child } from './child.ts';
import { logToFiles } from './logs.ts';
import { loadSystemSettings } from './settings.ts';
import { stopRequests } from './stop.ts';
import { type Step, type System, startSystem } from './system.ts';

const usage = `usage: npm start -- [--scale <subgraph>=<instances>]… [--fresh] [--verbose]

  --scale orders=2   runs two instances of a subgraph; may be given for several
  --fresh            begins with empty data
  --verbose          shows every log line of every process, not only warnings and errors`;

/** Time until a process that ended by itself is started again, in ms. */
const restartAfterMs = 1_000;

function readScale(items: readonly string[]): Partial<Record<ServiceName, number>> {
  return Object.fromEntries(
    items.map(item => {
      const [, name, count] = /^([a-z]+)=([1-9])$/.exec(item) ?? [];
      if (!serviceNames.some(subgraph => subgraph === name))
        throw new Error(
          `--scale must name one of ${serviceNames.join(', ')} and 1 to 9 instances, such as orders=2; it is '${item}'`,
        );
      return [name, Number(count)];
    }),
  );
}

/** Beginning of a log line that is shown in any case. */
const severe = /^\{"level":"(?:warn|error|fatal)"/;

function openLogs(dataDir: string, verbose: boolean) {
  const writeToFile = logToFiles(dataDir, { removesEarlier: true });
  const screen = pinoPretty({
    colorize: process.stdout.isTTY,
    ignore: 'pid,hostname,service',
    messageFormat: '{service}: {msg}',
    singleLine: true,
    destination: 1,
    sync: true,
  });
  return (name: string, line: string): void => {
    writeToFile(name, line);
    const isLog = line.startsWith('{"level":');
    if (isLog && (verbose || severe.test(line))) screen.write(`${line}\n`);
    else if (!isLog && verbose) process.stdout.write(`${name}: ${line}\n`);
  };
}

function showStep({ what, where, tookMs }: Step): void {
  const seconds = `${(tookMs / 1000).toFixed(1)} s`;
  console.log(`  ${styleText('green', '✔')} ${what.padEnd(16)} ${where.padEnd(44)} ${seconds.padStart(7)}`);
}

function showAddresses({ graphUrl, registryUrl }: System, tookMs: number, logDir: string): void {
  const origin = new URL(graphUrl).origin;
  console.log(`
Portico is up after ${(tookMs / 1000).toFixed(1)} s.

  graph              ${graphUrl}   (HTTP and WebSocket)
  Apollo Sandbox     ${origin}/
  IDE, offline       ${origin}/ide/
  registry           ${new URL(registryUrl).origin}/
  a token            npm run token -- alice [--admin]
  a demonstration    npm run demo
  logs               ${logDir}

Ctrl-C stops everything.`);
}

/** Starts a process again that ended by itself, as an orchestrator would. */
function keepAlive(system: System, child: Child, stop: AbortSignal): void {
  void child.ended.then(async how => {
    if (child.stopping || stop.aborted) return;
    console.log(styleText('yellow', `  ${child.name} ended ${how}; it is started again`));
    while (!stop.aborted) {
      await new Promise(resolve => setTimeout(resolve, restartAfterMs));
      if (stop.aborted) return;
      try {
        keepAlive(system, await system.start(child.name), stop);
        return;
      } catch (error) {
        console.error(styleText('red', (error as Error).message));
      }
    }
  });
}

/** Removes a folder, also one that is a link to another. */
function forget(folder: string): void {
  if (existsSync(folder)) rmSync(realpathSync(folder), { recursive: true });
  rmSync(folder, { recursive: true, force: true });
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      scale: { type: 'string', multiple: true, default: [] },
      fresh: { type: 'boolean', default: false },
      verbose: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(usage);
    return;
  }
  const scale = readScale(values.scale);
  const settings = loadSystemSettings(process.env);
  const dataDir = settings.PORTICO_DATA_DIR;
  if (values.fresh) for (const folder of ['postgres', 'kafka', 'gateway']) forget(join(dataDir, folder));

  const stop = stopRequests();
  const startedAt = performance.now();
  const built = await build();
  showStep({
    what: 'build',
    where: built ? 'dist/' : 'up to date',
    tookMs: Math.round(performance.now() - startedAt),
  });
  const system = await startSystem({
    settings,
    scale,
    onStep: showStep,
    onLine: openLogs(dataDir, values.verbose),
    signal: stop,
  });
  showAddresses(system, performance.now() - startedAt, join(dataDir, 'logs'));
  for (const child of system.children.values()) keepAlive(system, child, stop);
  if (!stop.aborted) await once(stop, 'abort');
  console.log('\nStopping …');
  await system.close();
  console.log('Everything has stopped.');
}

try {
  await main();
  process.exit(0);
} catch (error) {
  const { message } = error as Error;
  console.error(styleText('red', message));
  if (message.includes('ENOSPC'))
    console.error('Free some of the disk that holds the data, or have them elsewhere: set PORTICO_DATA_DIR');
  process.exit(1);
}
