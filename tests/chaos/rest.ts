import { setTimeout as delay } from 'node:timers/promises';
import { createGraphClient, type GraphClient } from '../../dev/graph-client.ts';
import { messageOf } from '../../platform/errors.ts';
import { query, type ReadSystem } from './read-evidence.ts';
import { connectKafka, lagByGroup } from './topics.ts';

/** Time between two looks, in ms. */
const lookAgainMs = 250;

/**
 * Waits until nothing is under way: no order is undecided, every event is published and handled, and the graph answers.
 *
 * @returns how long that took in ms, and what was still under way when the time was up
 */
export async function untilRest(
  system: ReadSystem,
  timeoutMs: number,
): Promise<{ readonly tookMs: number; readonly restless: readonly string[] }> {
  const startedAtMs = performance.now();
  for (;;) {
    const restless = await findRestless(system).catch(error => [`it can't be told: ${messageOf(error)}`]);
    const tookMs = performance.now() - startedAtMs;
    if (restless.length === 0 || tookMs > timeoutMs) return { tookMs, restless };
    await delay(lookAgainMs);
  }
}

async function findRestless(system: ReadSystem): Promise<string[]> {
  const { databaseUrls, graphUrl, keys } = system;
  const [orders] = await query<{ undecided: number; unpublished: number }>(
    databaseUrls.orders,
    `SELECT (SELECT count(*)::int FROM orders WHERE status = 'PENDING') AS undecided,
       (SELECT count(*)::int FROM outbox_events) AS unpublished`,
  );
  const restless: string[] = [];
  if (orders?.undecided) restless.push(`${orders.undecided} orders are undecided`);
  if (orders?.unpublished) restless.push(`${orders.unpublished} events are not published`);
  for (const [group, lag] of await lagByGroup(connectKafka(system)))
    if (lag > 0n) restless.push(`${group} has ${lag} events to handle`);
  const errors = await askEverySubgraph(createGraphClient(graphUrl, await keys.mintToken('anybody')));
  if (errors) restless.push(`the graph answers ${errors}`);
  return restless;
}

async function askEverySubgraph(client: GraphClient): Promise<string | undefined> {
  const { errors } = await client.request(`{
    products(first: 1) { edges { node { sku availableQuantity } } }
    orders(first: 1) { edges { node { id } } }
    notifications(first: 1) { edges { node { id } } }
  }`);
  return errors && JSON.stringify(errors);
}
