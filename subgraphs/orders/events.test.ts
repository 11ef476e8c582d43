import { readFile } from 'node:fs/promises';
import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { eventSchemaOf } from '../../platform/kafka/event-schema.ts';
import type { DomainEvent } from '../../platform/kafka/events.ts';
import { readEventSchemas } from '../../platform/kafka/testing.ts';
import { orderAbandoned, orderCancelled, orderEventData, orderPlaced } from './events.ts';
import type { OrderRow } from './order.ts';

const schemas = await readEventSchemas('orders');
// The formats have patterns beside them.
const ajv = new Ajv2020({ allErrors: true, validateFormats: false });
const validators = new Map(
  Object.entries(schemas).map(([type, schema]) => [type, ajv.compile(schema as object)]),
);

/** Faults that a JSON Schema validator finds in an event's data as it goes on the wire. */
function faultsOf({ type, data }: DomainEvent): unknown {
  const validate = validators.get(type);
  validate?.(JSON.parse(JSON.stringify(data)));
  return validate?.errors;
}

const minorUnits = { min: 0, max: 2_147_483_647 };
const anyOrder = fc.record({
  id: fc.uuid({ version: 7 }),
  customerId: fc.string({ minLength: 1, maxLength: 255 }),
  currency: fc.constantFrom('EUR', 'JPY', 'USD'),
  totalAmount: fc.integer(minorUnits),
  lines: fc.array(
    fc.record({
      sku: fc.string({ minLength: 1, maxLength: 64 }),
      quantity: fc.integer({ min: 1, max: 1_000 }),
      unitPriceAmount: fc.integer(minorUnits),
    }),
    { minLength: 1, maxLength: 50 },
  ),
}) as unknown as fc.Arbitrary<OrderRow>;
const anyTime = fc.date({ min: new Date('2020-01-01'), max: new Date('2100-01-01'), noInvalidDate: true });

describe('the events of orders', () => {
  test('are as their schemas say, for any order', () => {
    fc.assert(
      fc.property(anyOrder, anyTime, (order, at) => {
        for (const event of [orderPlaced(order, at), orderCancelled(order, at), orderAbandoned(order)])
          expect(faultsOf(event)).toBeNull();
      }),
    );
  });

  test('would not pass with a field missing or wrong', () => {
    const [order] = fc.sample(anyOrder, { numRuns: 1, seed: 1 });
    const event = orderPlaced(order as OrderRow, new Date());
    const { total: _, ...rest } = event.data;
    expect(faultsOf({ ...event, data: rest })).toMatchObject([{ keyword: 'required' }]);
    expect(faultsOf({ ...event, data: { ...event.data, items: [] } })).toMatchObject([
      { keyword: 'minItems' },
    ]);
  });

  test('have the schemas that are committed', () => {
    const made = Object.entries(orderEventData).map(([type, data]) => [type, eventSchemaOf(type, data)]);
    expect(schemas).toEqual(Object.fromEntries(made));
  });

  test('have examples that are valid, and are those of the documentation', async () => {
    const text = await readFile(new URL('../../docs/events.md', import.meta.url), 'utf8');
    const documented = [...text.matchAll(/^### (dev\.portico\.\S+)\n[^#]*?```json\n(.*?)```/gms)];
    expect(
      documented.map(([, type = '', json = '']) => ({ type, example: JSON.parse(json) as unknown })),
    ).toEqual(Object.keys(orderEventData).map(type => ({ type, example: schemas[type]?.examples?.[0] })));
    for (const [type, { examples = [] }] of Object.entries(schemas))
      for (const example of examples) expect(validators.get(type)?.(example), type).toBe(true);
  });
});
