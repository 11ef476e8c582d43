import type { RequestListener } from 'node:http';
import { Agent } from 'undici';
import { expect, onTestFinished, test, vi } from 'vitest';
import { silentLog } from '../../platform/log.ts';
import { Deadline } from '../../platform/resilience/deadline.ts';
import { passHeaders } from '../header-rules.ts';
import { anonymous } from '../security/operation-caller.ts';
import { describeInstance, serveInstance } from '../testing/instances.ts';
import { Turn } from '../turn.ts';
import { createAskInstance } from './ask-instance.ts';
import { Endpoint } from './endpoint.ts';

/** Asks an instance that answers so. */
async function askOf(listener: RequestListener) {
  const endpoint = new Endpoint('stock', describeInstance({ port: await serveInstance(listener) }));
  const agent = new Agent();
  onTestFinished(() => agent.destroy());
  const ask = createAskInstance({ log: silentLog, onEjected: () => {} });
  const target = {
    subgraph: 'stock',
    agent,
    serves: () => true,
    isStrict: () => true,
    graphFollows: () => undefined,
    maxConcurrent: 10,
    maxResponseBytes: 1_000,
    acceptEncoding: undefined,
  };
  const turn = new Turn();
  const query = '{ count }';
  const fetch = {
    query,
    body: JSON.stringify({ query }),
    isMutation: false,
    representations: undefined,
    context: {
      caller: anonymous,
      address: '',
      turn,
      headers: passHeaders({ toSubgraphs: [], toClients: [] }, {}),
    },
    signal: undefined,
  };
  return { endpoint, turn, ask: () => ask(endpoint, target, fetch, new Deadline()) };
}

test('a request is outstanding until its answer has come, and not while that waits to be read', async () => {
  const { endpoint, turn, ask } = await askOf((_request, response) => {
    response.setHeader('content-type', 'application/json');
    response.end('{"data":{"count":1}}');
  });
  const outstandingAtTurn: number[] = [];
  vi.spyOn(turn, 'wait').mockImplementation(async () => void outstandingAtTurn.push(endpoint.outstanding));
  const answer = ask();
  expect(endpoint.outstanding).toBe(1);
  expect(await answer).toMatchObject({ answer: { data: { count: 1 } } });
  expect(outstandingAtTurn).toEqual([0]);
  expect(endpoint.outstanding).toBe(0);
});

test('a request that fails is not outstanding any more', async () => {
  const { endpoint, ask } = await askOf(request => void request.socket.destroy());
  await expect(ask()).rejects.toThrow('other side closed');
  expect(endpoint.outstanding).toBe(0);
});
