import { describe, expect, test } from 'vitest';
import type { RegistryView } from '../../platform/registry/follower.ts';
import type { InstanceStatus, ServiceInstance } from '../../platform/registry/instance.ts';
import { createInstances } from './instances.ts';

function instance(
  id: string,
  status: InstanceStatus = 'UP',
  metadata: Record<string, string> = {},
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
    lastDirtyTimestampMs: 0,
  };
}

/** A view of a registry that a test changes. */
function viewOf(...instances: ServiceInstance[]) {
  let listener = () => {};
  const view = {
    instances,
    onChange(callback: () => void) {
      listener = callback;
      return () => {};
    },
  };
  return {
    view: view as unknown as RegistryView,
    change(...changed: ServiceInstance[]) {
      view.instances = changed;
      listener();
    },
  };
}

describe('picking an instance', () => {
  test('takes the one with the fewest requests outstanding, and equals in turn', () => {
    const { view } = viewOf(instance('a:1'), instance('a:2'));
    const instances = createInstances(view);
    const inTurn = [instances.pick('products').id, instances.pick('products').id];
    expect(inTurn.sort()).toEqual(['a:1', 'a:2']);
    const busy = instances.pick('products');
    busy.outstanding = 2;
    for (let count = 0; count < 4; count++) expect(instances.pick('products').id).not.toBe(busy.id);
  });

  test('leaves out those that were tried, and those that do not take requests', () => {
    const { view } = viewOf(instance('a:1'), instance('a:2', 'OUT_OF_SERVICE'), instance('a:3', 'STARTING'));
    const instances = createInstances(view);
    const first = instances.pick('products');
    expect(first.id).toBe('a:1');
    expect(() => instances.pick('products', new Set([first]))).toThrow(
      expect.objectContaining({ code: 'SUBGRAPH_UNAVAILABLE', details: { subgraph: 'products' } }),
    );
  });

  test('follows the registry, and keeps the counts of instances that stay', () => {
    const { view, change } = viewOf(instance('a:1'));
    const instances = createInstances(view);
    const first = instances.pick('products');
    first.outstanding = 7;
    change(instance('a:1'), instance('a:2'));
    expect(instances.pick('products').id).toBe('a:2');
    change(instance('a:1'));
    expect(instances.pick('products')).toBe(first);
    change();
    expect(() => instances.pick('products')).toThrow('No instance of the subgraph');
  });

  test('goes by the name and path in the metadata, and without them by the service and /graphql', () => {
    const { view } = viewOf(
      instance('a:1', 'UP', { subgraph: 'catalogue', 'graphql.path': '/api/graphql' }),
      instance('a:2'),
      instance('a:3', 'UP', { subgraph: '' }),
    );
    const instances = createInstances(view);
    expect(instances.pick('catalogue').url).toBe('http://10.0.0.1:1/api/graphql');
    expect(instances.pick('products').url).toBe('http://10.0.0.1:2/graphql');
    expect(() => instances.pick('')).toThrow('No instance');
  });
});
