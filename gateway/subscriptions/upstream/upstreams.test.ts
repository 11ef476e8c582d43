import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { Writable } from 'node:stream';
import { Registry } from 'prom-client';
import { expect, onTestFinished, test } from 'vitest';
import { createLogger } from '../../../platform/log.ts';
import { createInstanceHosts } from '../../../platform/registry/host.ts';
import {
  createInstanceLookup,
  RefusedAddressError,
} from '../../../platform/registry/instance-connections.ts';
import { createInstances } from '../../routing/instances.ts';
import { anonymous } from '../../security/operation-caller.ts';
import { describeInstance, fillRegistry } from '../../testing/instances.ts';
import type { UpstreamSink } from './sink.ts';
import { createUpstreams } from './upstreams.ts';

test.each(['graphql-transport-ws', 'graphql-sse'])(
  'a subscription over %s is not opened where a host name leads elsewhere than instances may be',
  async protocol => {
    let connections = 0;
    const server = createServer(() => {
      connections += 1;
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    const lines: string[] = [];
    const destination = new Writable({
      write(chunk, _encoding, done) {
        lines.push(String(chunk));
        done();
      },
    });
    const instance = describeInstance({
      port: (server.address() as AddressInfo).port,
      host: 'localhost',
      metadata: { 'graphql.subscriptions.protocol': protocol },
    });
    const hosts = createInstanceHosts({ SUBGRAPH_NETWORKS: ['10.0.0.0/8'] });
    const upstreams = createUpstreams({
      instances: createInstances({ registry: fillRegistry(instance).view, metrics: new Registry() }),
      show: (_subgraph, answer) => answer,
      lookup: createInstanceLookup(hosts),
      log: createLogger('test', { destination }),
    });
    onTestFinished(() => upstreams.close());
    const lost = await new Promise<Parameters<UpstreamSink['lost']>[0]>((resolve, reject) => {
      const unexpected = () => reject(new Error('it was expected to be lost'));
      upstreams.subscribe(
        {
          subgraph: 'stock',
          serves: () => true,
          strict: false,
          query: 'subscription { ticked }',
          operationName: undefined,
          variables: {},
          caller: anonymous,
          asksForCursor: false,
        },
        {
          opened: unexpected,
          start: unexpected,
          event: unexpected,
          completed: unexpected,
          refused: unexpected,
          lost: resolve,
        },
      );
    });
    expect(lost).toMatchObject({ begun: false });
    expect(lost.cause).toBeInstanceOf(RefusedAddressError);
    expect(lines.join()).toMatch(/"subgraph":"stock".*SUBGRAPH_NETWORKS, 10\.0\.0\.0\/8/);
    expect(connections).toBe(0);
  },
);
