import { Readable } from 'node:stream';
import { describe, expect, onTestFinished, test } from 'vitest';
import { silentLog } from '../log.ts';
import type { EurekaClient } from './eureka-client.ts';
import { followRegistry, type RegistryView } from './follower.ts';
import { anyHost } from './host.ts';
import type { RegistryDelta } from './instance.ts';
import { parseInstance } from './read-instances.ts';

function wire(id: string, status = 'UP', actionType = 'ADDED') {
  return { instanceId: id, hostName: 'h', app: 'PRODUCTS', status, port: { $: 1 }, actionType };
}

function snapshotOf(...ids: string[]): string {
  const application = [{ name: 'PRODUCTS', instance: ids.map(id => wire(id)) }];
  return JSON.stringify({ applications: { apps__hashcode: '', application } });
}

function event(kind: string, id: string, data: string): string {
  return `event: ${kind}\nid: ${id}\ndata: ${data}\n\n`;
}

/** A registry whose every stream and answer is in the test's hands. */
function createFakeRegistry() {
  const streams: { stream: Readable; lastEventId: string | undefined }[] = [];
  const polled: string[] = [];
  const state: { hasStream: boolean; all: string[]; delta: RegistryDelta | undefined } = {
    hasStream: true,
    all: [],
    delta: undefined,
  };
  const client: EurekaClient = {
    hosts: anyHost,
    register: async () => {},
    renew: async () => true,
    cancel: async () => {},
    async fetchAll() {
      polled.push('all');
      return state.all.map(id => parseInstance(wire(id)));
    },
    async fetchDelta() {
      polled.push('delta');
      return state.delta;
    },
    async openChanges(lastEventId, signal) {
      if (!state.hasStream) return undefined;
      const stream = new Readable({ read() {} });
      signal.addEventListener('abort', () => stream.destroy());
      streams.push({ stream, lastEventId });
      return { url: 'test', body: stream as never };
    },
  };
  return { client, streams, polled, state };
}

function follow(client: EurekaClient): { view: RegistryView; changed(): Promise<void> } {
  const view = followRegistry({ client, log: silentLog, pollIntervalMs: 10, keepUnannouncedMs: 200 });
  onTestFinished(() => view.close());
  const changed = () =>
    new Promise<void>(resolve => {
      const stop = view.onChange(() => {
        stop();
        resolve();
      });
    });
  return { view, changed };
}

function ids(view: RegistryView): string[] {
  return view.instances.map(({ id }) => id).sort();
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise(resolve => setTimeout(resolve, 5));
}

describe('A follower of a change stream', () => {
  test('takes over a snapshot and each change', async () => {
    const { client, streams } = createFakeRegistry();
    const { view } = follow(client);
    await until(() => streams.length === 1);
    streams[0]?.stream.push(event('snapshot', 'e-1', snapshotOf('a', 'b')));
    streams[0]?.stream.push(event('change', 'e-2', JSON.stringify({ instance: wire('c') })));
    streams[0]?.stream.push(event('change', 'e-3', JSON.stringify({ instance: wire('a', 'UP', 'DELETED') })));
    await until(() => ids(view).join() === 'b,c');
    expect([view.loaded, view.source]).toEqual([true, 'stream']);
  });

  test('comes back with the id of the last event when the stream breaks, and keeps what it knows meanwhile', async () => {
    const { client, streams } = createFakeRegistry();
    const { view, changed } = follow(client);
    await until(() => streams.length === 1);
    const first = changed();
    streams[0]?.stream.push(event('snapshot', 'e-7', snapshotOf('a')));
    await first;
    streams[0]?.stream.push(null);
    await until(() => streams.length === 2);
    expect(streams[1]?.lastEventId).toBe('e-7');
    expect(ids(view)).toEqual(['a']);
  });

  test('keeps whom a registry that has just started does not name yet, until it says that it is complete', async () => {
    const { client, streams } = createFakeRegistry();
    const { view, changed } = follow(client);
    await until(() => streams.length === 1);
    const push = (text: string) => streams[0]?.stream.push(text);
    const first = changed();
    push(event('snapshot', 'e-1', snapshotOf('a', 'b')));
    await first;
    const second = changed();
    push(`event: registry\ndata: {"complete":false}\n\n${event('snapshot', 'f-0', snapshotOf())}`);
    await second;
    expect(ids(view)).toEqual(['a', 'b']);
    expect(view.up('products')).toHaveLength(2);
    push(event('change', 'f-1', JSON.stringify({ instance: wire('a') })));
    const third = changed();
    push(`event: registry\ndata: {"complete":true}\n\n${event('snapshot', 'f-1', snapshotOf('a'))}`);
    await third;
    await until(() => ids(view).join() === 'a');
  });

  test('gives up whom a registry that has just started does not name for too long', async () => {
    const { client, streams } = createFakeRegistry();
    const { view } = follow(client);
    await until(() => streams.length === 1);
    streams[0]?.stream.push(event('snapshot', 'e-1', snapshotOf('a')));
    streams[0]?.stream.push(
      `event: registry\ndata: {"complete":false}\n\n${event('snapshot', 'f-0', snapshotOf())}`,
    );
    await until(() => view.loaded && ids(view).length === 0);
  });

  test('ends at once, also in the middle of a stream', async () => {
    const { client, streams } = createFakeRegistry();
    const { view } = follow(client);
    await until(() => streams.length === 1);
    await view.close();
    expect(streams[0]?.stream.destroyed).toBe(true);
  });
});

describe('A follower of a registry without a change stream', () => {
  test('reads everything once, and then what changed', async () => {
    const { client, polled, state } = createFakeRegistry();
    Object.assign(state, { hasStream: false, all: ['a'], delta: { changes: [], hashcode: 'UP_1_' } });
    const { view, changed } = follow(client);
    await until(() => polled.length > 2);
    expect(polled.slice(0, 3)).toEqual(['all', 'delta', 'delta']);
    const next = changed();
    const changes = [{ instance: parseInstance(wire('b')), deleted: false }];
    state.delta = { changes, hashcode: 'UP_2_' };
    await next;
    expect([ids(view), view.source]).toEqual([['a', 'b'], 'polling']);
  });

  test('reads everything again when its hash differs, and keeps for a while whom nobody announced as gone', async () => {
    const { client, polled, state } = createFakeRegistry();
    Object.assign(state, { hasStream: false, all: ['a', 'b'], delta: { changes: [], hashcode: 'UP_2_' } });
    const { view } = follow(client);
    await until(() => polled.includes('delta'));
    Object.assign(state, { all: ['b'], delta: { changes: [], hashcode: 'UP_1_' } });
    await until(() => polled.filter(each => each === 'all').length > 1);
    expect(ids(view)).toEqual(['a', 'b']);
    await until(() => ids(view).join() === 'b');
  });

  test('reads everything each time when the registry tells no changes', async () => {
    const { client, polled, state } = createFakeRegistry();
    Object.assign(state, { hasStream: false, all: ['a'] });
    follow(client);
    await until(() => polled.length > 4);
    expect(polled.slice(0, 5)).toEqual(['all', 'delta', 'all', 'delta', 'all']);
  });

  test('follows the stream once there is one', async () => {
    const { client, streams, polled, state } = createFakeRegistry();
    Object.assign(state, { hasStream: false, all: ['a'] });
    const { view } = follow(client);
    await until(() => polled.length > 0);
    state.hasStream = true;
    await until(() => streams.length === 1);
    streams[0]?.stream.push(event('snapshot', 'e-1', snapshotOf('b')));
    await until(() => ids(view).join() === 'b' && view.source === 'stream');
  });
});
