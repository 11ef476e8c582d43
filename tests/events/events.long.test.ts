import { randomUUID } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, test, vi } from 'vitest';
import { rootDir } from '../../dev/settings.ts';
import { headersAsText } from '../../platform/kafka/events.ts';
import { untilConsuming } from '../helpers/consumers.ts';
import { placedOrderId } from '../helpers/shop.ts';
import { useSystem } from '../helpers/system.ts';
import {
  cancelledEvent,
  metricOf,
  notificationsOf,
  placedEvent,
  publish,
  readAll,
  untilConsumed,
  wait,
} from './topic.ts';

const traceId = '0af7651916cd43dd8448eb211c80319c';
const traceparent = `00-${traceId}-b7ad6b7169203331-01`;

describe('the events of orders', () => {
  const shop = useSystem({ scale: { notifications: 2 }, env: { LOG_LEVEL: 'debug' } });

  async function placeInTrace(customer: string): Promise<string> {
    const response = await fetch(shop.system.graphUrl, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        authorization: `Bearer ${await shop.system.keys.mintToken(customer)}`,
        traceparent,
        tracestate: 'vendor=1',
      },
      body: JSON.stringify({
        query: `mutation ($input: PlaceOrderInput!) {
          placeOrder(input: $input) { ... on OrderPlaced { order { id } } }
        }`,
        variables: { input: { items: [{ sku: 'MUG-BLACK', quantity: 1 }], idempotencyKey: randomUUID() } },
      }),
    });
    const { data } = (await response.json()) as { data: { placeOrder: { order: { id: string } } } };
    return data.placeOrder.order.id;
  }

  test('are on the topic as the specification says, in order for each order', async () => {
    const alice = await shop.client('alice');
    const id = await placedOrderId(alice, [{ sku: 'MUG-BLACK', quantity: 2 }]);
    await alice.request('mutation ($id: ID!) { cancelOrder(id: $id) { id } }', { id });
    await vi.waitFor(async () => expect(await notificationsOf(shop, 'alice')).toHaveLength(2), wait);

    const messages = (await readAll(shop)).filter(({ key }) => String(key) === id);
    const types = ['dev.portico.order.placed.v1', 'dev.portico.order.cancelled.v1'];
    expect(messages.map(({ headers }) => headersAsText(headers ?? {}))).toEqual(
      types.map(type => ({
        'content-type': 'application/json',
        ce_specversion: '1.0',
        ce_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
        ce_type: type,
        ce_source: '/orders',
        ce_subject: id,
        ce_time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      })),
    );
    for (const [index, type] of types.entries()) {
      const file = join(rootDir, 'subgraphs', 'orders', 'events', `${type}.schema.json`);
      const validate = new Ajv2020({ validateFormats: false }).compile(
        JSON.parse(await readFile(file, 'utf8')) as object,
      );
      validate(JSON.parse(String(messages[index]?.value)));
      expect(validate.errors).toBeNull();
    }
  });

  test('have the trace of the request, and so does what the consumer logs', async () => {
    const id = await placeInTrace('bob');
    await vi.waitFor(async () => expect(await notificationsOf(shop, 'bob')).toHaveLength(1), wait);

    const [message] = (await readAll(shop)).filter(({ key }) => String(key) === id);
    expect(headersAsText(message?.headers ?? {})).toMatchObject({
      ce_traceparent: traceparent,
      ce_tracestate: 'vendor=1',
      traceparent,
      tracestate: 'vendor=1',
    });
    const [{ eventId } = { eventId: '' }] = await notificationsOf(shop, 'bob');
    await vi.waitFor(async () => {
      const logs = (await readdir(join(shop.dataDir, 'logs'))).filter(name =>
        name.startsWith('notifications'),
      );
      const lines = await Promise.all(logs.map(name => readFile(join(shop.dataDir, 'logs', name), 'utf8')));
      const ofEvent = lines
        .join('\n')
        .split('\n')
        .filter(line => line.includes(eventId));
      expect(ofEvent.map(line => JSON.parse(line) as object)).toMatchObject([{ traceId, msg: 'Handled' }]);
    }, wait);
  });

  test('that come more than once notify once', async () => {
    const [first, second] = [placedEvent('carol'), placedEvent('carol')];
    await publish(shop, [first, first, second, first]);
    await publish(shop, [second]);
    const last = placedEvent('carol');
    await publish(shop, [last, last]);
    await vi.waitFor(
      async () =>
        expect((await notificationsOf(shop, 'carol')).map(({ eventId }) => eventId).sort()).toEqual(
          [first.id, second.id, last.id].sort(),
        ),
      wait,
    );
    await untilConsumed(shop);
    expect(await notificationsOf(shop, 'carol')).toHaveLength(3);
  });

  test('that come in another order, also those of one order, all notify once', async () => {
    const placed = Array.from({ length: 10 }, () => placedEvent('dave'));
    const cancelled = placed.map(({ subject }) => cancelledEvent('dave', subject));
    await publish(shop, [...cancelled].reverse());
    await publish(shop, [...placed].reverse());
    await vi.waitFor(async () => expect(await notificationsOf(shop, 'dave')).toHaveLength(20), wait);
    await untilConsumed(shop);
    const notified = await notificationsOf(shop, 'dave');
    expect(new Set(notified.map(({ eventId }) => eventId))).toEqual(
      new Set([...placed, ...cancelled].map(({ id }) => id)),
    );
    expect(notified).toHaveLength(20);
  });

  test('are shared by the instances of a service, and taken over from one that is killed', async () => {
    const countOf = (name: string) =>
      metricOf(shop, name, 'events_consumed_total', { outcome: 'handled', topic: 'orders.events' });
    const instances = ['notifications-1', 'notifications-2'];
    await untilConsuming(shop, instances);
    const before = await Promise.all(instances.map(countOf));
    const many = Array.from({ length: 60 }, () => placedEvent('erin'));
    await publish(shop, many);
    await vi.waitFor(async () => expect(await notificationsOf(shop, 'erin')).toHaveLength(60), wait);
    const after = await Promise.all(instances.map(countOf));
    for (const [index, count] of after.entries()) expect(count).toBeGreaterThan(before[index] ?? 0);
    await vi.waitFor(async () => {
      const metrics = await (await fetch(shop.actuator('notifications-1', 'prometheus'))).text();
      for (const partition of [0, 1, 2])
        expect(metrics).toMatch(
          new RegExp(
            `^events_consumer_lag\\{topic="orders.events",partition="${partition}",group="notifications"\\} \\d+$`,
            'm',
          ),
        );
    }, wait);

    const more = Array.from({ length: 60 }, () => placedEvent('erin'));
    await publish(shop, more.slice(0, 30));
    await shop.system.children.get('notifications-2')?.stop('SIGKILL');
    await publish(shop, more.slice(30));
    await vi.waitFor(async () => expect(await notificationsOf(shop, 'erin')).toHaveLength(120), wait);
    await untilConsumed(shop);
    const notified = await notificationsOf(shop, 'erin');
    expect(new Set(notified.map(({ eventId }) => eventId)).size).toBe(120);
    expect(notified).toHaveLength(120);
  });
});
