import * as fc from 'fast-check';
import {
  type FragmentSpreadNode,
  type InlineFragmentNode,
  Kind,
  parse,
  print,
  validate,
  visit,
} from 'graphql';
import { expect } from 'vitest';
import {
  type ClientResult,
  type Federation,
  type RunningFederation,
  startFederation,
  type World,
} from './federation.ts';
import type { FeatureFederation, Maybe } from './federations/feature-federation.ts';
import { operationsOf } from './operations.ts';

/**
 * Compares the gateway's answers to random operations over random faults with those of graphql-js over one schema with
 * the same data: the data with the order of its fields, and the places at which an error explains a null. Each operation is
 * run a second time, as one that is known.
 *
 * @throws the smallest operation found for which they differ, with fast-check's seed
 */
export async function compareWithPlain(feature: FeatureFederation, runs: number): Promise<void> {
  await compare(feature, runs, expectSame);
}

/**
 * Compares answers in parts with those that come as one: random fragments of random operations are deferred, and what comes
 * is put together as a client does. A null that reaches the object of a fragment stays there, so that answers with errors
 * need only have errors both ways.
 *
 * @throws as {@link compareWithPlain}
 */
export async function comparePartsWithWhole(feature: FeatureFederation, runs: number): Promise<void> {
  await compare(feature, runs, expectSameInParts);
}

type Comparison = (
  running: RunningFederation,
  query: string,
  variables: Readonly<Record<string, unknown>>,
) => Promise<void>;

async function compare(feature: FeatureFederation, runs: number, expectation: Comparison): Promise<void> {
  let world: World = feature.world((_key, value) => value);
  const federation: Federation = {
    ...feature,
    world: {
      get root() {
        return world.root;
      },
      // Subgraphs find entities by type, in the world of the run.
      entities: Object.fromEntries(
        Object.keys(world.entities).map(type => [type, liveRows(() => world.entities[type] ?? [])]),
      ),
    },
  };
  const running = await startFederation(federation);
  const faults = faultsOf(feature);
  await fc.assert(
    fc.asyncProperty(operationsOf(running.schema), faults, async ({ query, variables }, faultByKey) => {
      fc.pre(validate(running.schema, parse(query)).length === 0);
      const maybe: Maybe = (key, value) => {
        const fault = faultByKey[key];
        return fault === 'error' ? new Error(`fault at ${key}`) : fault === 'null' ? null : value;
      };
      world = feature.world(maybe);
      await expectation(running, query, variables);
    }),
    { numRuns: runs, interruptAfterTimeLimit: 0x7fffffff },
  );
}

async function expectSame(
  running: RunningFederation,
  query: string,
  variables: Readonly<Record<string, unknown>>,
) {
  const plain = await running.plain(query, variables);
  const ours = await running.ours(query, variables);
  expect(JSON.stringify(ours.data), query).toBe(JSON.stringify(plain.data));
  expect(explainedNulls(ours), query).toEqual(explainedNulls(plain));

  const again = await running.again(query, variables);
  if (ours.data === undefined) expect(again, query).toBeUndefined();
  else {
    expect(JSON.stringify(again?.data), query).toBe(JSON.stringify(ours.data));
    expect(placesAndMessages(again), query).toEqual(placesAndMessages(ours));
  }
}

async function expectSameInParts(
  running: RunningFederation,
  query: string,
  variables: Readonly<Record<string, unknown>>,
) {
  const deferred = withDefers(query);
  const whole = await running.ours(deferred, variables);
  const parts = await running.inParts(deferred, variables);
  if (whole.data === undefined) return;
  expect(parts.errors === undefined, deferred).toBe(whole.errors === undefined);
  if (whole.errors === undefined) expect(parts.data, deferred).toEqual(whole.data);
}

/** Defers each second fragment of a query, and those of a mutation that are not at its root. */
function withDefers(query: string): string {
  let count = 0;
  const defer = <Node extends FragmentSpreadNode | InlineFragmentNode>(
    node: Node,
    _key: unknown,
    _parent: unknown,
    _path: unknown,
    ancestors: readonly unknown[],
  ): Node => {
    const isAtRoot = !ancestors.some(each => (each as { kind?: string }).kind === Kind.FIELD);
    count += 1;
    if (count % 2 === 0 || (isAtRoot && query.startsWith('mutation'))) return node;
    return { ...node, directives: [...(node.directives ?? []), deferNode] };
  };
  return print(visit(parse(query), { FragmentSpread: defer, InlineFragment: defer }));
}

const deferNode = { kind: Kind.DIRECTIVE, name: { kind: Kind.NAME, value: 'defer' } } as const;

function placesAndMessages(result: ClientResult | undefined): unknown {
  return result?.errors?.map(({ path, message }) => ({ path, message }));
}

/** Paths of the nulls that errors explain. An error at a place that is not null is a place of its own. */
function explainedNulls({ data, errors = [] }: ClientResult): string[] {
  const places = errors.map(({ path = [] }) => {
    let value: unknown = data;
    for (const [depth, key] of path.entries()) {
      if (value === null || value === undefined) return JSON.stringify(path.slice(0, depth));
      value = (value as Record<string | number, unknown>)[key];
    }
    return value === null ? JSON.stringify(path) : `not null: ${JSON.stringify(path)}`;
  });
  return [...new Set(places)].sort();
}

/** Up to three faults at the places that the feature has for them. */
function faultsOf(feature: FeatureFederation): fc.Arbitrary<Readonly<Record<string, string>>> {
  const keys: string[] = [];
  feature.world((key, value) => {
    keys.push(key);
    return value;
  });
  if (keys.length === 0) return fc.constant({});
  return fc.dictionary(fc.constantFrom(...keys), fc.constantFrom('null', 'error'), { maxKeys: 3 });
}

/** An array whose items are those of the world that is current when they are looked at. */
function liveRows<T>(rows: () => readonly T[]): readonly T[] {
  return new Proxy([] as readonly T[], { get: (_target, key) => Reflect.get(rows(), key) as unknown });
}
