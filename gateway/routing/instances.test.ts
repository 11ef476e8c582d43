import { Registry } from 'prom-client';
import { describe, expect, test } from 'vitest';
import type { RegistryView } from '../../platform/registry/follower.ts';
import type { InstanceStatus, ServiceInstance } from '../../platform/registry/instance.ts';
import { createInstances } from './instances.ts';

interface TestInstance {
  readonly status?: InstanceStatus;
  readonly metadata?: Record<string, string>;
  readonly dirty?: number;
}

function instance(
  id: string,
  { status = 'UP', metadata = {}, dirty = 0 }: TestInstance = {},
): ServiceInstance {
  const [, port = '1'] = id.split(':');
  return {
    id,
    app: 'PRODUCTS',
    host: '10.0.0.1',
    port: Number(port),
    secure: false,
    status,
    metadata,
    lastDirtyTimestampMs: dirty,
  };
}

/** Instances over a view of a registry that a test changes. */
function instancesOf(...first: ServiceInstance[]) {
  return instancesIn(undefined, ...first);
}

function instancesIn(zone: string | undefined, ...first: ServiceInstance[]) {
  let listener = () => {};
  const view = {
    instances: first,
    onChange(callback: () => void) {
      listener = callback;
      return () => {};
    },
  };
  return {
    instances: createInstances({ registry: view as unknown as RegistryView, metrics: new Registry(), zone }),
    change(...changed: ServiceInstance[]) {
      view.instances = changed;
      listener();
    },
  };
}

const any = { serves: () => true, strict: true };
const version = (hash: string, strict = true) => ({
  serves: ({ metadata }: ServiceInstance) => metadata['schema.hash'] === hash,
  strict,
});

describe('picking an instance', () => {
  test('takes the one with the fewest requests outstanding, and equals in turn', () => {
    const { instances } = instancesOf(instance('a:1'), instance('a:2'));
    const inTurn = [instances.pick('products', any).id, instances.pick('products', any).id];
    expect(inTurn.sort()).toEqual(['a:1', 'a:2']);
    const busy = instances.pick('products', any);
    busy.outstanding = 2;
    for (let count = 0; count < 4; count++) expect(instances.pick('products', any).id).not.toBe(busy.id);
  });

  test('takes one of its own zone when no other has fewer requests outstanding', () => {
    const inZone = (id: string, zone: string) => instance(id, { metadata: { zone } });
    const { instances } = instancesIn(
      'north',
      inZone('a:1', 'south'),
      inZone('a:2', 'north'),
      instance('a:3'),
    );
    const pick = () => instances.pick('products', any);
    const near = pick();
    for (let count = 0; count < 4; count++) expect(pick()).toBe(near);
    expect(near.id).toBe('a:2');
    near.outstanding = 1;
    for (let count = 0; count < 4; count++) expect(pick()).not.toBe(near);
  });

  test('leaves out those that were tried, and those that do not take requests', () => {
    const { instances } = instancesOf(
      instance('a:1'),
      instance('a:2', { status: 'OUT_OF_SERVICE' }),
      instance('a:3', { status: 'STARTING' }),
      { ...instance('a:4'), addressFault: 'its path leads elsewhere' },
    );
    const first = instances.pick('products', any);
    expect(first.id).toBe('a:1');
    expect(instances.find('products', { ...any, except: new Set([first]) })).toBeUndefined();
  });

  test('takes only instances that serve the composed schema, unless any may serve', () => {
    const { instances } = instancesOf(
      instance('a:1', { metadata: { 'schema.hash': 'old' } }),
      instance('a:2', { metadata: { 'schema.hash': 'new' } }),
    );
    for (let count = 0; count < 4; count++) {
      expect(instances.pick('products', version('new')).id).toBe('a:2');
      expect(instances.pick('products', version('old', false)).id).toBe('a:1');
    }
    expect(() => instances.pick('products', version('other'))).toThrow(
      expect.objectContaining({
        code: 'SUBGRAPH_UNAVAILABLE',
        message: expect.stringContaining('serves the schema') as string,
        details: { subgraph: 'products' },
      }),
    );
    expect(instances.pick('products', version('other', false)).subgraph).toBe('products');
  });

  test('follows the registry, and keeps the counts of instances that stay', () => {
    const { instances, change } = instancesOf(instance('a:1'));
    const first = instances.pick('products', any);
    first.outstanding = 7;
    change(instance('a:1'), instance('a:2'));
    expect(instances.pick('products', any).id).toBe('a:2');
    change(instance('a:1'));
    expect(instances.pick('products', any)).toBe(first);
    change();
    expect(() => instances.pick('products', any)).toThrow('No instance of the subgraph');
  });

  test('says why there is none', () => {
    const { instances, change } = instancesOf();
    const pick = () => instances.pick('products', version('v1'));
    expect(pick).toThrow("No instance of the subgraph 'products' is registered");
    change(
      instance('a:1', { status: 'STARTING' }),
      instance('a:2', { status: 'DOWN' }),
      instance('a:3', { status: 'DOWN' }),
    );
    expect(pick).toThrow("No instance of the subgraph 'products' is up: 2 DOWN, 1 STARTING");
    change(instance('a:1'));
    expect(pick).toThrow(
      "No instance of the subgraph 'products' serves the schema that the graph was composed with",
    );
  });

  test('goes by the name and path in the metadata, and without them by the service and /graphql', () => {
    const { instances } = instancesOf(
      instance('a:1', { metadata: { subgraph: 'catalogue', 'graphql.path': '/api/graphql' } }),
      instance('a:2'),
      instance('a:3', { metadata: { subgraph: '' } }),
    );
    expect(instances.pick('catalogue', any).address.url).toBe('http://10.0.0.1:1/api/graphql');
    expect(instances.pick('products', any).address.url).toBe('http://10.0.0.1:2/graphql');
    expect(() => instances.pick('', any)).toThrow('No instance');
  });

  test('passes by an instance that is ejected, but for want of another', () => {
    const { instances, change } = instancesOf(instance('a:1'), instance('a:2'));
    const bad = instances.pick('products', any);
    for (let count = 0; count < 3; count++) bad.failed();
    for (let count = 0; count < 4; count++) expect(instances.pick('products', any)).not.toBe(bad);
    change(instance(bad.id));
    expect(instances.pick('products', any)).toBe(bad);
  });

  test('forgets the past of an instance that registers anew, and tells of its arrival', () => {
    const { instances, change } = instancesOf(instance('a:1'));
    const arrived: string[] = [];
    instances.onArrival(subgraph => arrived.push(subgraph));
    const before = instances.pick('products', any);
    change(instance('a:1'));
    expect(arrived).toEqual([]);
    change(instance('a:1', { dirty: 1 }));
    expect(arrived).toEqual(['products']);
    expect(instances.pick('products', any)).not.toBe(before);
  });
});
