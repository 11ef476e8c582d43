import { setMaxListeners } from 'node:events';
import type { Closable } from '../../platform/lifecycle.ts';
import { findViolations } from './check.ts';
import type { Violation } from './checks/violation.ts';
import { runClients } from './clients.ts';
import { createLedger, type Ledger } from './ledger.ts';
import { startListeners, untilHeard } from './listeners.ts';
import { createRandom } from './random.ts';
import { type ReadSystem, readEnds, readEvidence, readStock } from './read-evidence.ts';
import { untilRest } from './rest.ts';

/** Customers who order, cancel and listen while something is done to a system, until they are closed. */
export interface Customers extends Closable {
  /** Lets them end what they do, waits for rest, and compares what they were told with what is there. */
  finish(): Promise<{
    readonly ledger: Ledger;
    /** What was still under way when the time was up. */
    readonly restless: readonly string[];
    readonly violations: readonly Violation[];
  }>;
}

const names = ['carol', 'dave', 'erin'];
/** Longest time until nothing is under way, in ms: an undecided order is given up after 45 s. */
const restTimeoutMs = 90_000;

/**
 * Lets customers begin in a system in which nobody has ordered yet.
 *
 * @param locate says where the system is: once at the beginning, and again at the end
 */
export async function startCustomers(locate: () => Promise<ReadSystem>): Promise<Customers> {
  const system = await locate();
  const { graphUrl, keys } = system;
  const { restless } = await untilRest(system, restTimeoutMs);
  if (restless.length > 0) throw new Error(`The system expected to rest, but ${restless.join(', ')}`);
  const since = await readEnds(system);
  const ledger = createLedger(await readStock(system.databaseUrls.inventory));
  const stop = new AbortController();
  // Every customer that waits listens to it.
  setMaxListeners(0, stop.signal);
  const common = { graphUrl, mintToken: keys.mintToken, ledger, customers: names };
  const listeners = await startListeners(common);
  const running = runClients({ ...common, random: createRandom(1), signal: stop.signal });
  return {
    async finish() {
      stop.abort();
      await running;
      const located = await locate();
      const rest = await untilRest(located, restTimeoutMs);
      const evidence = await readEvidence({ system: located, since, customers: names });
      await untilHeard(ledger, evidence);
      return { ledger, restless: rest.restless, violations: findViolations(ledger, evidence) };
    },
    async close() {
      stop.abort();
      await running;
      await listeners.close();
    },
  };
}
