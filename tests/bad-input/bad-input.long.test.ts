import kafkajs from 'kafkajs';
import { describe, expect, test } from 'vitest';
import { availableOf, dataOf, placedOrderId, placeOrder, sendOrder } from '../helpers/shop.ts';
import { useSystem } from '../helpers/system.ts';

const mug = { sku: 'MUG-BLACK', quantity: 1 };

describe('bad input gets a clear error and changes nothing', () => {
  const shop = useSystem();

  test.each([
    ['an unknown sku', [{ sku: 'NO-SUCH-THING', quantity: 1 }], 'NO-SUCH-THING'],
    ['a quantity of zero', [{ sku: 'MUG-BLACK', quantity: 0 }], 'quantity'],
    ['a negative quantity', [{ sku: 'MUG-BLACK', quantity: -3 }], 'quantity'],
    ['an absurd quantity', [{ sku: 'MUG-BLACK', quantity: 1_000_000_000 }], 'quantity'],
    ['no lines', [], 'items'],
    ['the same sku twice', [mug, mug], 'each sku may come once'],
    ['a sku of a megabyte', [{ sku: 'X'.repeat(300_000), quantity: 1 }], 'sku'],
  ])('an order with %s is refused and names what is wrong', async (_case, items, named) => {
    const alice = await shop.client('alice');
    const before = await availableOf(alice, 'MUG-BLACK');
    const { errors } = await sendOrder(alice, items);
    expect(errors?.[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT' });
    expect(errors?.[0]?.message).toContain(named);
    expect(errors?.[0]?.message.length).toBeLessThan(500);
    expect(await availableOf(alice, 'MUG-BLACK')).toBe(before);
    expect(dataOf(await alice.request('{ orders { edges { node { id } } } }'))).toEqual({
      orders: { edges: [] },
    });
  });

  test('an idempotency key stands for one order: again the same, with other items an error', async () => {
    const bob = await shop.client('bob');
    const first = await placeOrder(bob, [mug], 'key-1');
    expect(await placeOrder(bob, [mug], 'key-1')).toEqual(first);
    const { errors } = await sendOrder(bob, [{ ...mug, quantity: 2 }], 'key-1');
    expect(errors?.[0]).toMatchObject({
      message: expect.stringContaining('key-1') as string,
      extensions: { code: 'IDEMPOTENCY_KEY_REUSED' },
    });
    const other = await placeOrder(await shop.client('bobby'), [mug], 'key-1');
    expect(other.order?.id).not.toBe(first.order?.id);
    expect((await sendOrder(bob, [mug], '')).errors?.[0]?.message).toContain('idempotencyKey');
  });

  test('the same order sent many times at once is placed once', async () => {
    const eve = await shop.client('eve');
    const before = await availableOf(eve, 'MUG-SAND');
    const results = await Promise.all(
      Array.from({ length: 8 }, () => placeOrder(eve, [{ sku: 'MUG-SAND', quantity: 1 }], 'same')),
    );
    expect(new Set(results.map(result => result.order?.id)).size).toBe(1);
    expect(await availableOf(eve, 'MUG-SAND')).toBe(before - 1);
  });

  test.each([
    '{ products(after: "nonsense") { edges { cursor } } }',
    '{ products(first: 0) { edges { cursor } } }',
    `{ products(after: "${Buffer.from('products:\0').toString('base64url')}") { edges { cursor } } }`,
  ])('a page that is not ours is refused: %s', async query => {
    const { errors } = await (await shop.client()).request(query);
    expect(errors?.[0]).toMatchObject({
      message: expect.stringMatching(/'(after|first)' must be/) as string,
      extensions: { code: 'BAD_USER_INPUT' },
    });
  });

  test.each([
    ['{ product(sku: "\\u0000") { name } }', 'sku'],
    ['{ product(sku: "no such form") { name } }', 'sku'],
    ['{ products(search: "\\u0000") { edges { cursor } } }', 'search'],
  ])('text that the database can not hold, or that can be no sku, is refused: %s', async (query, named) => {
    const { errors } = await (await shop.client()).request(query);
    expect(errors?.[0]).toMatchObject({
      message: expect.stringContaining(named) as string,
      extensions: { code: 'BAD_USER_INPUT', fields: [named] },
    });
  });

  test('a cursor of another connection is refused', async () => {
    const carol = await shop.client('carol');
    await placedOrderId(carol, [mug]);
    const { orders } = dataOf(
      await carol.request<{ orders: { edges: { cursor: string }[] } }>('{ orders { edges { cursor } } }'),
    );
    const after = orders.edges[0]?.cursor;
    for (const connection of ['notifications', 'products']) {
      const { errors } = await carol.request(
        `query ($after: String) { ${connection}(after: $after) { edges { cursor } } }`,
        { after },
      );
      expect(errors?.[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT' });
    }
    const { errors } = await carol.request(
      'query ($after: String) { orders(after: $after) { edges { cursor } } }',
      { after: Buffer.from("orders:' OR 1=1 --").toString('base64url') },
    );
    expect(errors?.[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT' });
  });

  test.each([
    [
      'restocking an unknown sku',
      'mutation { restock(sku: "NO-SUCH-THING", quantity: 1) { sku } }',
      'NO-SUCH-THING',
    ],
    ['restocking nothing', 'mutation { restock(sku: "MUG-BLACK", quantity: 0) { sku } }', 'quantity'],
    [
      'creating a product that exists',
      'mutation { createProduct(input: { sku: "MUG-BLACK", name: "x", price: { amount: 1 } }) { sku } }',
      'MUG-BLACK',
    ],
    [
      'creating a product with a bad sku',
      'mutation { createProduct(input: { sku: "no spaces", name: "x", price: { amount: 1 } }) { sku } }',
      'sku',
    ],
    [
      'creating a product with a negative price',
      'mutation { createProduct(input: { sku: "NEW-1", name: "x", price: { amount: -1 } }) { sku } }',
      'price.amount',
    ],
    [
      'updating an unknown product',
      'mutation { updateProduct(sku: "NOPE", input: { name: "x" }) { sku } }',
      'NOPE',
    ],
  ])('%s is refused and names what is wrong', async (_case, mutation, named) => {
    const admin = await shop.client('root', ['admin']);
    const { errors } = await admin.request(mutation);
    expect(['BAD_USER_INPUT', 'CONFLICT', 'NOT_FOUND']).toContain(errors?.[0]?.extensions?.['code']);
    expect(errors?.[0]?.message).toContain(named);
  });

  test.each(['Bearer', 'Basic YWxpY2U6c2VjcmV0', 'Bearer not.a.token'])(
    'the malformed authorization %j is answered with 401 and what was expected',
    async authorization => {
      const response = await fetch(shop.system.graphUrl, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization },
        body: '{"query":"{ __typename }"}',
      });
      expect(response.status).toBe(401);
      const { errors } = (await response.json()) as { errors: { message: string }[] };
      expect(errors[0]?.message).toMatch(
        /header Authorization must be "Bearer"|bearer token is not accepted/,
      );
    },
  );

  test.each([
    ['no JSON', 'this is not JSON', 'JSON'],
    ['no instance', '{}', 'instance'],
    ['an instance without a host', '{"instance":{"instanceId":"x","app":"EVIL"}}', 'hostname'],
  ])('a registration with %s is answered with 400, naming what was wrong', async (_case, body, named) => {
    const response = await fetch(`${shop.system.registryUrl}/apps/EVIL`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    });
    expect(response.status).toBe(400);
    expect(await response.text()).toContain(named);
    const known = await fetch(`${shop.system.registryUrl}/apps/EVIL`);
    expect(known.status).toBe(404);
  });

  test('malformed Kafka messages go to the dead-letter topic with the reason, and later ones are handled', async () => {
    const kafka = new kafkajs.Kafka({
      brokers: [shop.system.kafkaBrokers],
      logLevel: kafkajs.logLevel.NOTHING,
    });
    const producer = kafka.producer();
    await producer.connect();
    const event = { ce_specversion: '1.0', ce_id: 'bad-1', ce_source: '/test', ce_subject: 'x' };
    const headers = {
      ...event,
      ce_type: 'dev.portico.order.placed.v1',
      ce_time: new Date().toISOString(),
      'content-type': 'application/json',
    };
    await producer.send({
      topic: 'orders.events',
      messages: [
        { key: 'a', value: 'no headers at all' },
        { key: 'b', value: '{ not json', headers },
        { key: 'c', value: JSON.stringify({ orderId: 17 }), headers },
        { key: 'd', value: null, headers },
        { key: 'e', value: '{}', headers: { ...headers, ce_type: 'com.example.unknown.v9' } },
      ],
    });
    await producer.disconnect();

    const reasons: string[] = [];
    const consumer = kafka.consumer({ groupId: 'test-reader' });
    await consumer.connect();
    await consumer.subscribe({ topics: ['orders.events.dlq'], fromBeginning: true });
    await consumer.run({
      eachMessage: async ({ message }) => {
        const { 'dlq-consumer-group': group, 'dlq-reason': reason } = message.headers ?? {};
        if (String(group) === 'notifications') reasons.push(`${String(message.key)}: ${String(reason)}`);
      },
    });
    await expect.poll(() => reasons.length, { timeout: 20_000 }).toBe(4);
    await consumer.disconnect();
    expect(reasons.sort()).toEqual([
      expect.stringMatching(/^a: .*CloudEvent/),
      expect.stringMatching(/^b: .*JSON/),
      expect.stringMatching(/^c: .*orderId/s),
      expect.stringMatching(/^d: .*CloudEvent/),
    ]);

    const frank = await shop.client('frank');
    const id = await placedOrderId(frank, [mug]);
    await expect
      .poll(async () => (await frank.request('{ notifications { edges { node { order { id } } } } }')).data, {
        timeout: 10_000,
      })
      .toEqual({ notifications: { edges: [{ node: { order: { id } } }] } });
  });
});
