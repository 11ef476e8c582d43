import { connect, type Socket } from 'node:net';
import { createParser, type EventSourceMessage } from 'eventsource-parser';
import { describe, expect, onTestFinished, test } from 'vitest';
import { eventually, registerAt, registrationOf, startTestDiscovery } from '../testing/server.ts';

interface Follower {
  readonly events: EventSourceMessage[];
  readonly status: number;
  readonly ended: Promise<void>;
  stop(): void;
}

async function follow(url: string, lastEventId?: string): Promise<Follower> {
  const stop = new AbortController();
  onTestFinished(() => stop.abort());
  const response = await fetch(`${url}/eureka/changes`, {
    signal: stop.signal,
    headers: lastEventId === undefined ? {} : { 'last-event-id': lastEventId },
  });
  const events: EventSourceMessage[] = [];
  const parser = createParser({ onEvent: event => events.push(event) });
  const read = async () => {
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) parser.feed(decoder.decode(chunk as Uint8Array));
  };
  return { events, status: response.status, ended: read().catch(() => {}), stop: () => stop.abort() };
}

function kindsOf({ events }: Follower): (string | undefined)[] {
  return events.map(({ event }) => event);
}

function changedIds({ events }: Follower): string[] {
  return events
    .filter(({ event }) => event === 'change')
    .map(({ data }) => {
      const { instance } = JSON.parse(data) as { instance: { instanceId: string; actionType: string } };
      return `${instance.actionType} ${instance.instanceId}`;
    });
}

async function cancelAt(url: string, service: string, port: number): Promise<void> {
  await fetch(`${url}/eureka/apps/${service}/127.0.0.1:${service}:${port}`, { method: 'DELETE' });
}

describe('A follower', () => {
  test('gets a snapshot, and then each change as it happens; renewals are none', async () => {
    const { url } = await startTestDiscovery();
    await registerAt(url, registrationOf('products', 1));
    const follower = await follow(url);
    await eventually(() => expect(kindsOf(follower)).toEqual(['registry', 'snapshot']));
    expect(JSON.parse(follower.events[1]?.data ?? '')).toMatchObject({
      applications: { apps__hashcode: 'UP_1_', application: [{ name: 'PRODUCTS' }] },
    });
    await fetch(`${url}/eureka/apps/PRODUCTS/127.0.0.1:products:1`, { method: 'PUT' });
    await registerAt(url, registrationOf('products', 2));
    await cancelAt(url, 'products', 1);
    await eventually(() =>
      expect(changedIds(follower)).toEqual(['ADDED 127.0.0.1:products:2', 'DELETED 127.0.0.1:products:1']),
    );
    const [, snapshot, added, deleted] = follower.events;
    const epoch = snapshot?.id?.replace(/-1$/, '');
    expect([added?.id, deleted?.id]).toEqual([`${epoch}-2`, `${epoch}-3`]);
  });

  test('that comes back gets exactly what it missed', async () => {
    const { url } = await startTestDiscovery();
    await registerAt(url, registrationOf('products', 1));
    const first = await follow(url);
    const lastId = await eventually(() => {
      expect(first.events).toHaveLength(2);
      return first.events[1]?.id;
    });
    first.stop();
    await registerAt(url, registrationOf('products', 2));
    await cancelAt(url, 'products', 1);
    const second = await follow(url, lastId);
    await eventually(() =>
      expect(changedIds(second)).toEqual(['ADDED 127.0.0.1:products:2', 'DELETED 127.0.0.1:products:1']),
    );
    expect(kindsOf(second)).not.toContain('snapshot');
    const third = await follow(url, second.events.at(-1)?.id);
    await registerAt(url, registrationOf('products', 3));
    await eventually(() => expect(changedIds(third)).toEqual(['ADDED 127.0.0.1:products:3']));
  });

  test('that missed more than is kept, or followed another registry, gets a snapshot', async () => {
    const { url } = await startTestDiscovery({ DISCOVERY_REPLAY_EVENTS: '2' });
    const first = await follow(url);
    const lastId = await eventually(() => {
      expect(first.events).toHaveLength(2);
      return first.events[1]?.id ?? '';
    });
    for (const port of [1, 2, 3]) await registerAt(url, registrationOf('products', port));
    const epoch = lastId.replace(/-\d+$/, '');
    for (const id of [lastId, 'another-1', `${epoch}-99`, 'nonsense', `${epoch}-`]) {
      const follower = await follow(url, id);
      await eventually(() => expect(kindsOf(follower), id).toEqual(['registry', 'snapshot']));
    }
    const nearlyThere = await follow(url, `${epoch}-1`);
    await eventually(() => expect(kindsOf(nearlyThere)).toEqual(['change', 'change']));
  });

  test('learns that a registry that has just started may not know everybody, and when it does', async () => {
    const { url } = await startTestDiscovery({ DISCOVERY_WARMUP_MS: '300' });
    const follower = await follow(url);
    await eventually(() =>
      expect(kindsOf(follower)).toEqual(['registry', 'snapshot', 'registry', 'snapshot']),
    );
    expect([follower.events[0]?.data, follower.events[2]?.data]).toEqual([
      '{"complete":false}',
      '{"complete":true}',
    ]);
  });

  test('that does not read is cut off, and the others are not', async () => {
    const { url, port, managementUrl } = await startTestDiscovery({
      DISCOVERY_FOLLOWER_BUFFER_BYTES: '65536',
    });
    const good = await follow(url);
    const stuck = await stuckFollower(port);
    const closed = new Promise<void>(resolve => stuck.once('close', () => resolve()));
    const padding = Object.fromEntries(Array.from({ length: 3 }, (_, at) => [`k${at}`, 'x'.repeat(8_000)]));
    let sent = 0;
    const metrics = async () => (await fetch(`${managementUrl}/actuator/prometheus`)).text();
    while (!(await metrics()).includes('discovery_followers_cut_off_total 1') && sent < 1_000)
      for (let count = 0; count < 50; count++)
        await registerAt(url, registrationOf('products', (sent++ % 10) + 1, { metadata: padding }));

    stuck.resume();
    await closed;
    await eventually(() => expect(changedIds(good)).toHaveLength(sent));
  });

  test('is refused when there are too many', async () => {
    const { url } = await startTestDiscovery({ DISCOVERY_MAX_FOLLOWERS: '1' });
    const first = await follow(url);
    await eventually(() => expect(first.events.length).toBeGreaterThan(0));
    expect((await fetch(`${url}/eureka/changes`)).status).toBe(503);
    first.stop();
    await eventually(async () => {
      const again = await follow(url);
      expect(again.status).toBe(200);
    });
  });

  test('sees its stream end when the registry shuts down, and does not hold it up', async () => {
    const { url, close } = await startTestDiscovery();
    const follower = await follow(url);
    await eventually(() => expect(follower.events.length).toBeGreaterThan(0));
    await close();
    await follower.ended;
  });
});

/** Asks for changes and reads none of them. */
async function stuckFollower(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  onTestFinished(() => void socket.destroy());
  await new Promise<void>(resolve => socket.once('connect', () => resolve()));
  socket.pause();
  socket.write('GET /eureka/changes HTTP/1.1\r\nhost: h\r\n\r\n');
  return socket;
}
