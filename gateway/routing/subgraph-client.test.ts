import { setTimeout as delay } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { silentLog } from '../../platform/log.ts';
import { Deadline } from '../../platform/resilience/deadline.ts';
import { passHeaders } from '../header-rules.ts';
import { anonymous } from '../security/operation-caller.ts';
import { Turn } from '../turn.ts';
import { createSubgraphClient } from './subgraph-client.ts';

test('the time of a fetch ends when its answer has come, and not when that is read', async () => {
  const seconds: number[] = [];
  let answeredAtMs = 0;
  const fetch = vi.fn(async (_target: unknown, _fetch: unknown, deadline: Deadline) => {
    deadline.meet();
    answeredAtMs = performance.now();
    await delay(50);
    return { answer: { data: {} }, text: '{"data":{}}', headers: {} };
  });
  const client = createSubgraphClient({
    target: { subgraph: 'stock' } as never,
    fetcher: { fetch },
    breaker: { run: (call: (deadline: Deadline) => unknown) => call(new Deadline()) } as never,
    show: (_subgraph, answer) => answer as never,
    log: silentLog,
    observe: (_outcome, each) => void seconds.push(each),
    share: undefined,
    onMutated: () => {},
  });
  const beganAtMs = performance.now();
  const headers = passHeaders({ toSubgraphs: [], toClients: [] }, {});
  const request = { query: '{ count }', body: '{}', isMutation: false, representations: undefined };
  await client(request, { caller: anonymous, address: '', turn: new Turn(), headers });
  expect(seconds).toHaveLength(1);
  expect(seconds[0]).toBeLessThanOrEqual((answeredAtMs - beganAtMs) / 1000);
});
