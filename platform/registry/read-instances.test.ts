import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import * as z from 'zod';
import { graphqlUrlOf } from '../service-client.ts';
import { parseApplications, parseChange, parseDelta, parseInstance } from './read-instances.ts';

const good = {
  instanceId: 'h:products:4001',
  hostName: '10.0.0.5',
  app: 'products',
  status: 'UP',
  port: { $: 4001, '@enabled': 'true' },
  metadata: { 'graphql.path': '/graphql' },
  lastDirtyTimestamp: '1000',
  leaseInfo: { durationInSecs: 90, lastRenewalTimestamp: 1, evictionTimestamp: 2 },
};

/** JSON of any shape, with the names that objects have already. */
const anything = fc.oneof(
  fc.jsonValue({ maxDepth: 4 }),
  fc.constantFrom(
    ...['{"toString":1,"valueOf":1}', '{"__proto__":{"a":1}}', '{"constructor":null}', '1e999', '-1'].map(
      text => JSON.parse(text) as unknown,
    ),
    '\ud800',
    70_000,
    1.5,
    '0x10',
  ),
);

/** An instance of which a field, or a part of one, is something else. */
const spoilt = fc
  .tuple(
    fc.constantFrom(...(Object.keys(good) as (keyof typeof good)[]), 'securePort'),
    anything,
    fc.boolean(),
  )
  .map(([field, value, isInside]): unknown => {
    const known: unknown = Object.hasOwn(good, field) ? good[field as keyof typeof good] : { $: 1 };
    const isObject = typeof known === 'object' && known !== null;
    return { ...good, [field]: isInside && isObject ? { ...known, ...spoil(known, value) } : value };
  });

function spoil(known: object, value: unknown): object {
  return Object.fromEntries(Object.keys(known).map(name => [name, value]));
}

const wire = fc.oneof(spoilt, anything);

describe('an instance', () => {
  test('that takes requests can be asked, and any other has a fault', () => {
    fc.assert(
      fc.property(wire, each => {
        const instance = parseInstance(each);
        if (instance.addressFault !== undefined) return;
        const { hostname, port, protocol } = new URL(graphqlUrlOf(instance));
        expect(hostname).toBe(instance.host.toLowerCase());
        expect(port || (protocol === 'https:' ? '443' : '80')).toBe(String(instance.port));
      }),
      { numRuns: 500, examples: [[{ ...good, port: { $: 70_000 } }]] },
    );
  });

  test('may have values that fill the stack of whoever writes them', () => {
    const deep: unknown = JSON.parse(`${'['.repeat(50_000)}${']'.repeat(50_000)}`);
    for (const field of Object.keys(good)) parseInstance({ ...good, [field]: deep });
    expect(parseInstance({ ...good, metadata: { zone: deep } }).metadata).toEqual({});
  });

  test('does not keep others from being read', () => {
    fc.assert(
      fc.property(wire, each => {
        const application = [{ instance: [each, good] }];
        expect(parseApplications({ applications: { application } })[1]).toEqual(parseInstance(good));
        expect(parseDelta({ applications: { application } }).changes[1]).toEqual(parseChange(good));
      }),
    );
  });
});

test('an answer of any shape is read, or refused for its shape', () => {
  const list = fc.oneof(anything, fc.array(fc.record({ instance: fc.oneof(wire, fc.array(wire)) })));
  const answer = fc.oneof(
    anything,
    fc.record({ applications: fc.oneof(anything, fc.record({ application: list })) }),
  );
  fc.assert(
    fc.property(answer, each => {
      for (const parse of [parseApplications, parseDelta])
        try {
          parse(each);
        } catch (error) {
          expect(error).toBeInstanceOf(z.ZodError);
        }
    }),
  );
});
