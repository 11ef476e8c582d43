import { SignJWT } from 'jose';
import { describe, expect, test } from 'vitest';
import { createGraphClient } from '../../dev/graph-client.ts';
import { dataOf, placedOrderId, sendOrder } from '../helpers/shop.ts';
import { useSystem } from '../helpers/system.ts';

const line = { sku: 'MUG-BLACK', quantity: 1 };

describe('who is asking', () => {
  const shop = useSystem();
  const codesOf = (errors: readonly { extensions?: Record<string, unknown> }[] | undefined) =>
    errors?.map(({ extensions }) => extensions?.['code']);

  test('the catalogue needs nobody, placing an order needs a customer', async () => {
    const nobody = await shop.client();
    expect((await nobody.request('{ product(sku: "MUG-BLACK") { name inStock } }')).errors).toBeUndefined();
    expect(codesOf((await sendOrder(nobody, [line])).errors)).toEqual(['UNAUTHENTICATED']);
  });

  test("another customer's order is not found, and can't be cancelled", async () => {
    const [alice, mallory] = [await shop.client('alice'), await shop.client('mallory')];
    const id = await placedOrderId(alice, [line]);
    const read = await mallory.request('query ($id: ID!) { order(id: $id) { id } }', { id });
    expect(dataOf(read)).toEqual({ order: null });
    const cancel = await mallory.request('mutation ($id: ID!) { cancelOrder(id: $id) { id } }', { id });
    expect(codesOf(cancel.errors)).toEqual(['NOT_FOUND']);
    const mine = await alice.request('query ($id: ID!) { order(id: $id) { id status customerId } }', { id });
    expect(dataOf(mine)).toEqual({ order: { id, status: 'PLACED', customerId: 'alice' } });
  });

  test('admin operations need the admin scope', async () => {
    const restock = 'mutation { restock(sku: "MUG-BLACK", quantity: 5) { availableQuantity } }';
    const [alice, admin] = [await shop.client('alice'), await shop.client('root', ['admin'])];
    expect(codesOf((await alice.request(restock)).errors)).toEqual(['FORBIDDEN']);
    expect(codesOf((await (await shop.client()).request(restock)).errors)).toEqual(['UNAUTHENTICATED']);
    expect((await admin.request(restock)).errors).toBeUndefined();

    const create = `mutation { createProduct(input: { sku: "PIN-ENAMEL", name: "Enamel pin",
      price: { amount: 450 } }) { sku price { amount currency } availableQuantity inStock } }`;
    expect(codesOf((await alice.request(create)).errors)).toEqual(['FORBIDDEN']);
    expect(dataOf(await admin.request(create))).toEqual({
      createProduct: {
        sku: 'PIN-ENAMEL',
        price: { amount: 450, currency: 'EUR' },
        availableQuantity: 0,
        inStock: false,
      },
    });
    const update = `mutation { updateProduct(sku: "PIN-ENAMEL", input: { price: { amount: 500 } }) {
      name price { amount } } }`;
    expect(dataOf(await admin.request(update))).toEqual({
      updateProduct: { name: 'Enamel pin', price: { amount: 500 } },
    });
    const restockNew = 'mutation { restock(sku: "PIN-ENAMEL", quantity: 7) { availableQuantity } }';
    expect(dataOf(await admin.request(restockNew))).toEqual({ restock: { availableQuantity: 7 } });
  });

  test('a token that does not verify is refused as a whole, over HTTP and WebSocket', async () => {
    const forged = await new SignJWT({})
      .setProtectedHeader({ alg: 'HS256' })
      .setSubject('alice')
      .setExpirationTime('1h')
      .sign(new TextEncoder().encode('a secret that is not the one of this system'));
    const response = await fetch(shop.system.graphUrl, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${forged}` },
      body: JSON.stringify({ query: '{ __typename }' }),
    });
    expect(response.status).toBe(401);
    expect(await response.json()).toMatchObject({ errors: [{ extensions: { code: 'UNAUTHENTICATED' } }] });

    const client = createGraphClient(shop.system.graphUrl, forged);
    await expect(
      client.subscribe('subscription { notificationReceived { message } }').next(),
    ).rejects.toMatchObject({ code: 4403 });
    await client.close();
  });

  test('a subscription without a customer is refused with a code', async () => {
    const nobody = await shop.client();
    const subscription = nobody.subscribe('subscription { notificationReceived { message } }');
    expect((await subscription.next()).value).toMatchObject({
      errors: [{ extensions: { code: 'UNAUTHENTICATED', subgraph: 'notifications' } }],
    });
  });

  test('a subgraph that is asked directly has no caller, and refuses one that the gateway did not sign', async () => {
    const port = shop.system.children.get('orders')?.ready.ports?.['http'];
    const ask = async (headers: Record<string, string>) => {
      const response = await fetch(`http://127.0.0.1:${port}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify({ query: '{ orders { edges { node { id } } } }' }),
      });
      return { status: response.status, body: (await response.json()) as { errors: never[] } };
    };
    const customerToken = await shop.system.keys.mintToken('alice');
    expect(codesOf((await ask({})).body.errors)).toEqual(['UNAUTHENTICATED']);
    expect(codesOf((await ask({ authorization: `Bearer ${customerToken}` })).body.errors)).toEqual([
      'UNAUTHENTICATED',
    ]);
    const claimed = await ask({ 'x-portico-caller': customerToken });
    expect(claimed.status).toBe(401);
    expect(codesOf(claimed.body.errors)).toEqual(['UNAUTHENTICATED']);
  });

  test('a customer is not a service: reserving stock is refused at the subgraph itself', async () => {
    const port = shop.system.children.get('inventory')?.ready.ports?.['http'];
    const response = await fetch(`http://127.0.0.1:${port}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        query: `mutation { reserve(orderId: "0190a0b0-0000-7000-8000-000000000000",
          lines: [{ sku: "MUG-BLACK", quantity: 1 }]) { reserved } }`,
      }),
    });
    const { errors } = (await response.json()) as { errors: never[] };
    expect(codesOf(errors)).toEqual(['FORBIDDEN']);
  });

  test('queries and mutations work over the WebSocket too', async () => {
    const alice = await shop.client('alice');
    const { value } = await alice
      .subscribe<{ product: { name: string } }>('{ product(sku: "MUG-BLACK") { name inStock } }')
      .next();
    expect(value).toEqual({ data: { product: { name: 'Stoneware mug, black', inStock: true } } });
  });
});
