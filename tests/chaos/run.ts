import { setMaxListeners } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { findLastingPorts } from '../../dev/ports.ts';
import { loadSystemSettings } from '../../dev/settings.ts';
import { type System, startSystem } from '../../dev/system.ts';
import type { Closable } from '../../platform/lifecycle.ts';
import { findViolations } from './check.ts';
import type { Violation } from './checks/violation.ts';
import { runClients } from './clients.ts';
import type { Evidence } from './evidence.ts';
import { doFaults, type FaultFigures } from './faults.ts';
import { createLedger, type Ledger } from './ledger.ts';
import { startListeners, untilHeard } from './listeners.ts';
import { sendPoison } from './poison.ts';
import { createRandom } from './random.ts';
import { type EvidenceSources, readEnds, readEvidence, readStock } from './read-evidence.ts';
import { repeatEvents } from './repeat-events.ts';
import { untilRest } from './rest.ts';
import { planFaults } from './schedule.ts';

/** Options of a run. */
export interface ChaosOptions {
  /** Time that clients order and processes are killed, in s. */
  readonly seconds: number;
  /** The same seed gives the same schedule of faults. */
  readonly seed: number;
  /** Folder of the system's data; PostgreSQL's account must be able to pass through it. */
  readonly dataDir: string;
  /** Brokers to use, which are left alone; undefined starts the embedded one. */
  readonly kafkaBrokers?: string | undefined;
  /** Customers that order at the same time. @default 12 */
  readonly customers?: number;
  /** Ends the run early. */
  readonly signal?: AbortSignal;
  /** Gets a line about each thing that happens. */
  readonly onEvent?: (what: string) => void;
  /** Gets each line that a process writes. */
  readonly onLine?: (name: string, line: string) => void;
}

/** Result of a run. */
export interface ChaosResult {
  readonly ledger: Ledger;
  readonly evidence: Evidence;
  readonly faults: FaultFigures;
  /** Events that were put on the topic again on purpose. */
  readonly repeated: number;
  /** Time until nothing was under way, in ms, and what still was when the time was up. */
  readonly rest: { readonly tookMs: number; readonly restless: readonly string[] };
  readonly violations: readonly Violation[];
  /** Where the evidence came from; the system still runs. */
  readonly sources: EvidenceSources;
  readonly system: System;
}

/** Age at which the system under test gives an undecided order up, in ms. */
const undecidedTimeoutMs = 5_000;
/** Settings by which what waits for a timeout is seen within a short run. */
const env = {
  UNDECIDED_ORDER_TIMEOUT_MS: String(undecidedTimeoutMs),
  INVENTORY_BREAKER_OPEN_MS: '1000',
};
/** Longest time until nothing is under way any more, in ms: sessions, leases and undecided orders run out well within. */
const restTimeoutMs = 60_000;
const poisonEveryMs = 10_000;
const repeatEveryMs = 4_000;
const instances = 2;

/**
 * Starts a system of two instances of each service, lets clients order while its processes are killed, waits for rest and
 * compares what the clients were told with what is there. The system is left running for whoever wants to look; close it.
 */
export async function runChaos(options: ChaosOptions): Promise<ChaosResult> {
  const { seconds, seed, dataDir, customers = 12, onEvent = () => {} } = options;
  const system = await startOwnSystem(options);
  const stop = new AbortController();
  const signal = options.signal ? AbortSignal.any([stop.signal, options.signal]) : stop.signal;
  // Every client that waits listens to it.
  setMaxListeners(0, signal);
  const running: Promise<unknown>[] = [];
  let listeners: Closable | undefined;
  try {
    await untilRest(system, restTimeoutMs);
    const names = Array.from({ length: customers }, (_, index) => `customer-${index + 1}`);
    const sources: EvidenceSources = { system, since: await readEnds(system), customers: names };
    const ledger = createLedger(await readStock(system.databaseUrls.inventory));
    const plan = planFaults({ seed, seconds, targets: [...system.children.keys()].sort() });
    onEvent(`${plan.length} faults are planned for ${seconds} s with seed ${seed}`);
    const { kafkaBrokers, graphUrl, keys } = system;
    listeners = await startListeners({ graphUrl, mintToken: keys.mintToken, ledger, customers: names });
    const random = createRandom(seed).fork('clients');
    const doingFaults = doFaults({ system, dataDir, plan, signal, onEvent });
    const repeating = repeatEvents({
      kafkaBrokers,
      since: sources.since.events,
      random: createRandom(seed).fork('repeated events'),
      everyMs: repeatEveryMs,
      signal,
    });
    running.push(
      doingFaults,
      repeating,
      runClients({ graphUrl, mintToken: keys.mintToken, ledger, random, customers: names, signal }),
      sendPoison({ kafkaBrokers, ledger, everyMs: poisonEveryMs, signal }),
      reportProgress(ledger, onEvent, signal),
      delay(seconds * 1_000, undefined, { signal })
        .catch(() => {})
        .finally(() => stop.abort()),
    );
    await Promise.all(running);
    onEvent('every process runs; waiting for rest');
    const rest = await untilRest(system, restTimeoutMs);
    onEvent(`at rest after ${(rest.tookMs / 1_000).toFixed(1)} s; checking`);
    const evidence = await readEvidence(sources);
    await untilHeard(ledger, evidence);
    await listeners.close();
    const [faults, repeated] = [await doingFaults, await repeating];
    const violations = [...violationsOfTheRun(faults, rest.restless), ...findViolations(ledger, evidence)];
    return { ledger, evidence, faults, repeated, rest, violations, sources, system };
  } catch (error) {
    stop.abort();
    await Promise.allSettled(running);
    await listeners?.close();
    await system.close();
    throw error;
  }
}

/** Finds violations that the databases and the topic do not show. */
function violationsOfTheRun({ endedByThemselves }: FaultFigures, restless: readonly string[]): Violation[] {
  return [
    ...restless.map(what => ({ guarantee: 'events', kind: 'stuck', subject: 'the system', what }) as const),
    ...endedByThemselves.map(
      what => ({ guarantee: 'messages', kind: 'wrong', subject: 'a process', what }) as const,
    ),
  ];
}

async function startOwnSystem({
  dataDir,
  kafkaBrokers,
  onEvent = () => {},
  onLine,
  signal,
}: ChaosOptions): Promise<System> {
  const [gateway, discovery, postgres, kafka] = await findLastingPorts(4);
  onEvent('starting two instances of each service');
  return startSystem({
    settings: loadSystemSettings({
      GATEWAY_PORT: String(gateway),
      DISCOVERY_PORT: String(discovery),
      POSTGRES_PORT: String(postgres),
      KAFKA_PORT: String(kafka),
      SUBGRAPH_BASE_PORT: '0',
      MANAGEMENT_BASE_PORT: '0',
      PORTICO_DATA_DIR: dataDir,
      KAFKA_BROKERS: kafkaBrokers,
    }),
    scale: { products: instances, inventory: instances, orders: instances, notifications: instances },
    env,
    ...(onLine ? { onLine } : {}),
    ...(signal ? { signal } : {}),
  });
}

/** Tells now and then how far the clients are. */
async function reportProgress(
  ledger: Ledger,
  onEvent: (what: string) => void,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    await delay(5_000, undefined, { signal }).catch(() => {});
    if (signal.aborted) return;
    const placed = ledger.orders.filter(({ placedIds }) => placedIds.size > 0).length;
    onEvent(`${ledger.orders.length} orders tried, ${placed} placed`);
  }
}
