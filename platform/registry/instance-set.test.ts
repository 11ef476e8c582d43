import { beforeEach, describe, expect, test } from 'vitest';
import type { InstanceStatus, ServiceInstance } from './instance.ts';
import { InstanceSet } from './instance-set.ts';

function instance(id: string, status: InstanceStatus = 'UP', app = 'PRODUCTS'): ServiceInstance {
  return { id, app, host: 'h', port: 1, secure: false, status, metadata: {}, lastDirtyTimestampMs: 1 };
}

let set: InstanceSet;

beforeEach(() => {
  set = new InstanceSet();
});

function ids(): string[] {
  return set.all.map(({ id }) => id);
}

describe('A set of instances', () => {
  test('gives those of a service that are UP, in whatever case it is named', () => {
    set.replace([instance('a'), instance('b', 'DOWN'), instance('c', 'UP', 'ORDERS')]);
    expect(set.up('products').map(({ id }) => id)).toEqual(['a']);
    set.apply({ instance: instance('b'), deleted: false });
    expect(set.up('Products').map(({ id }) => id)).toEqual(['a', 'b']);
    expect(set.up('nobody')).toEqual([]);
  });

  test('has the registry’s hash', () => {
    set.replace([instance('a'), instance('b', 'DOWN'), instance('c')]);
    expect(set.hashcode).toBe('DOWN_1_UP_2_');
  });

  test('tells news from what it knows already', () => {
    expect(set.apply({ instance: instance('a'), deleted: false })).toBe(true);
    expect(set.apply({ instance: instance('a'), deleted: false })).toBe(false);
    expect(set.apply({ instance: instance('a', 'DOWN'), deleted: false })).toBe(true);
    expect(set.apply({ instance: instance('a'), deleted: true })).toBe(true);
    expect(set.apply({ instance: instance('a'), deleted: true })).toBe(false);
  });

  test('drops what a complete list does not name', () => {
    set.replace([instance('a'), instance('b')]);
    set.replace([instance('b')]);
    expect(ids()).toEqual(['b']);
  });

  test('keeps what an incomplete list does not name, for a while, and outside of the hash', () => {
    set.replace([instance('a'), instance('b')]);
    set.replace([instance('b')], 100);
    expect(ids()).toEqual(['a', 'b']);
    expect(set.hashcode).toBe('UP_1_');
    expect(set.nextExpiryMs).toBe(100);
    expect(set.expire(99)).toBe(false);
    expect(set.expire(100)).toBe(true);
    expect(ids()).toEqual(['b']);
    expect(set.nextExpiryMs).toBeUndefined();
  });

  test('no longer merely keeps what is named again, nor what is said to be gone', () => {
    set.replace([instance('a'), instance('b')]);
    set.replace([], 100);
    set.apply({ instance: instance('a'), deleted: false });
    set.apply({ instance: instance('b'), deleted: true });
    expect(set.expire(1_000)).toBe(false);
    expect(ids()).toEqual(['a']);
    expect(set.hashcode).toBe('UP_1_');
  });

  test('does not prolong what it keeps with each incomplete list', () => {
    set.replace([instance('a')]);
    set.replace([], 100);
    set.replace([], 200);
    expect(set.nextExpiryMs).toBe(100);
  });
});
