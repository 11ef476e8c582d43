import type { RequestListener } from 'node:http';
import { Registry } from 'prom-client';
import { Agent } from 'undici';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { freePort } from '../../platform/free-port.ts';
import { silentLog } from '../../platform/log.ts';
import { Deadline } from '../../platform/resilience/deadline.ts';
import { createRetryBudget } from '../../platform/resilience/retry-budget.ts';
import { passHeaders } from '../header-rules.ts';
import { anonymous } from '../security/operation-caller.ts';
import { describeInstance, fillRegistry, serveInstance } from '../testing/instances.ts';
import { Turn } from '../turn.ts';
import type { FetchTarget } from './ask-instance.ts';
import { createInstances } from './instances.ts';
import { createSubgraphFetcher } from './subgraph-fetcher.ts';

const answers: RequestListener = (_request, response) => {
  response.setHeader('content-type', 'application/json');
  response.end('{"data":{"count":1}}');
};
const hangsUp: RequestListener = request => void request.socket.destroy();

interface TestFetcher {
  /** Ports of the instances; each is of the version `v1`. */
  readonly ports: readonly number[];
  readonly target?: Partial<FetchTarget>;
  /** Retries that the budget has. @default 10 */
  readonly retries?: number;
}

/** A fetcher of one subgraph, `stock`. */
function start({ ports, target = {}, retries = 10 }: TestFetcher) {
  const describe = (port: number) => describeInstance({ port, metadata: { 'schema.hash': 'v1' } });
  const registry = fillRegistry(...ports.map(describe));
  const agent = new Agent();
  onTestFinished(() => agent.destroy());
  const count = vi.fn<(event: 'retry' | 'ejection', subgraph: string) => void>();
  const fetcher = createSubgraphFetcher({
    instances: createInstances({ registry: registry.view, metrics: new Registry() }),
    retries: createRetryBudget({ ratio: 0, minPerSecond: retries / 10, now: () => 0 }),
    log: silentLog,
    count,
  });
  const full: FetchTarget = {
    subgraph: 'stock',
    agent,
    serves: ({ metadata }) => metadata['schema.hash'] === 'v1',
    isStrict: () => true,
    graphFollows: () => undefined,
    maxConcurrent: 10,
    maxResponseBytes: 1_000,
    acceptEncoding: undefined,
    ...target,
  };
  return {
    registry,
    describe,
    count,
    fetch(query = '{ count }', signal?: AbortSignal) {
      const isMutation = query.startsWith('mutation');
      const headers = passHeaders({ toSubgraphs: [], toClients: [] }, {});
      const context = { caller: anonymous, address: '', turn: new Turn(), headers };
      const fetch = {
        query,
        body: JSON.stringify({ query }),
        isMutation,
        representations: undefined,
        context,
        signal,
      };
      return fetcher.fetch(full, fetch, new Deadline()).then(({ answer }) => answer);
    },
  };
}

describe('a fetch whose instance', () => {
  test.each(['{ count }', 'mutation { add }'])('takes no connection goes to another: %s', async query => {
    const { fetch, count } = start({ ports: [await freePort(), await serveInstance(answers)] });
    // Equals are taken in turn: one of two fetches meets the instance that is away.
    for (let turn = 0; turn < 2; turn++) expect(await fetch(query)).toMatchObject({ data: { count: 1 } });
    expect(count.mock.calls).toContainEqual(['retry', 'stock']);
  });

  test('hangs up goes to another when it is a query, and fails when it is a mutation', async () => {
    const asked = vi.fn<RequestListener>(hangsUp);
    const { fetch } = start({ ports: [await serveInstance(asked), await serveInstance(answers)] });
    for (let turn = 0; turn < 2; turn++) expect(await fetch()).toMatchObject({ data: { count: 1 } });
    expect(asked).toHaveBeenCalledTimes(1);
    const outcomes = await Promise.allSettled([fetch('mutation { add }'), fetch('mutation { add }')]);
    const failed = outcomes.filter(({ status }) => status === 'rejected');
    expect(failed).toMatchObject([{ reason: { code: 'SUBGRAPH_UNAVAILABLE' } }]);
    expect(asked).toHaveBeenCalledTimes(2);
  });

  test('is the last one fails, and says which subgraph could not be reached', async () => {
    const { fetch } = start({ ports: [await freePort()] });
    await expect(fetch()).rejects.toMatchObject({
      code: 'SUBGRAPH_UNAVAILABLE',
      message: "The subgraph 'stock' could not be reached",
    });
  });

  test('takes no connection fails when the budget of retries is used up', async () => {
    const { fetch, count } = start({ ports: [await freePort(), await serveInstance(answers)], retries: 0 });
    const outcomes = await Promise.allSettled([fetch(), fetch()]);
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(count).not.toHaveBeenCalledWith('retry', 'stock');
  });

  test('has left for one of another version waits until the graph has followed', async () => {
    let follow = () => {};
    const followed = new Promise<void>(resolve => {
      follow = resolve;
    });
    const port = await serveInstance(answers);
    const { fetch, registry, describe } = start({ ports: [], target: { graphFollows: () => followed } });
    registry.change({ ...describe(port), metadata: { 'schema.hash': 'v2' } });
    const answer = fetch();
    const settled = vi.fn<() => void>();
    void answer.then(settled, settled);
    await new Promise(setImmediate);
    expect(settled).not.toHaveBeenCalled();
    registry.change(describe(port));
    follow();
    expect(await answer).toMatchObject({ data: { count: 1 } });
  });
});

describe('a fetch is refused', () => {
  test('when as many as the limit of its subgraph are under way, and taken when one has ended', async () => {
    const waiting: (() => void)[] = [];
    const port = await serveInstance((request, response) => {
      waiting.push(() => answers(request, response));
    });
    const { fetch } = start({ ports: [port], target: { maxConcurrent: 1 } });
    for (let turn = 1; turn <= 2; turn++) {
      const answer = fetch();
      await expect(fetch()).rejects.toMatchObject({ code: 'SUBGRAPH_OVERLOADED' });
      await vi.waitFor(() => expect(waiting).toHaveLength(turn));
      waiting.at(-1)?.();
      expect(await answer).toMatchObject({ data: { count: 1 } });
    }
  });

  test('not for answers that have come and wait to be read', async () => {
    const { fetch } = start({ ports: [await serveInstance(answers)], target: { maxConcurrent: 1 } });
    let read = () => {};
    const wait = vi.spyOn(Turn.prototype, 'wait').mockImplementationOnce(
      () =>
        new Promise(resolve => {
          read = resolve;
        }),
    );
    onTestFinished(() => wait.mockRestore());
    const waiting = fetch();
    await vi.waitFor(() => expect(wait).toHaveBeenCalledOnce());
    expect(await fetch()).toMatchObject({ data: { count: 1 } });
    read();
    expect(await waiting).toMatchObject({ data: { count: 1 } });
  });

  test('when its client has left before it was sent', async () => {
    const asked = vi.fn<RequestListener>(answers);
    const { fetch } = start({ ports: [await serveInstance(asked)] });
    await expect(fetch('{ count }', AbortSignal.abort())).rejects.toThrow('The client has left');
    expect(asked).not.toHaveBeenCalled();
  });
});
