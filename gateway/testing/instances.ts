import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import type { RegistryView } from '../../platform/registry/follower.ts';
import type { RemovalReason, ServiceInstance } from '../../platform/registry/instance.ts';

/** Describes an instance as the registry tells of it; `app` is `STOCK`, `id` its port, unless said otherwise. */
export function describeInstance(
  given: Partial<ServiceInstance> & { readonly port: number },
): ServiceInstance {
  return {
    id: String(given.port),
    app: 'STOCK',
    host: '127.0.0.1',
    secure: false,
    status: 'UP',
    metadata: {},
    lastDirtyTimestampMs: 0,
    ...given,
  };
}

/** Serves an instance's HTTP until the test ends. @returns its port */
export async function serveInstance(listener: RequestListener): Promise<number> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return (server.address() as AddressInfo).port;
}

/** A registry that a test fills by hand. */
export function fillRegistry(...first: ServiceInstance[]) {
  const listeners = new Set<() => void>();
  const removalListeners = new Set<(instance: ServiceInstance, reason: RemovalReason) => void>();
  let instances: readonly ServiceInstance[] = first;
  let reads = 0;
  const view: RegistryView = {
    get instances() {
      reads += 1;
      return instances;
    },
    loaded: true,
    source: 'stream',
    up: service => instances.filter(({ app }) => app === service.toUpperCase()),
    onChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    onRemoval(listener) {
      removalListeners.add(listener);
      return () => void removalListeners.delete(listener);
    },
    close: () => Promise.resolve(),
  };
  return {
    view,
    /** Number of times that its instances were looked at. */
    get reads() {
      return reads;
    },
    /** Names these instances from now on; those that are left out have deregistered. */
    change(...now: ServiceInstance[]): void {
      const gone = instances.filter(({ id }) => !now.some(each => each.id === id));
      instances = now;
      for (const instance of gone)
        for (const listener of removalListeners) listener(instance, 'deregistered');
      for (const listener of listeners) listener();
    },
  };
}
