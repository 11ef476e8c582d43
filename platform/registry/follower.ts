import { setTimeout as delay } from 'node:timers/promises';
import { Backoff, pause } from '../backoff.ts';
import { messageOf } from '../errors.ts';
import { type Closable, closeOnce } from '../lifecycle.ts';
import type { Logger } from '../log.ts';
import { readChangeStream } from './change-stream.ts';
import type { EurekaClient } from './eureka-client.ts';
import type { RemovalReason, ServiceInstance } from './instance.ts';
import { InstanceSet } from './instance-set.ts';
import { Poller } from './poller.ts';
import { createRepeatedWarning } from './repeated-warning.ts';

/** A live copy of the registry. It keeps what it last knew while the registry is away. */
export interface RegistryView extends Closable {
  /** Every instance, of every status. */
  readonly instances: readonly ServiceInstance[];
  /** True if the registry has been read at least once. */
  readonly loaded: boolean;
  /** Source of the changes now. */
  readonly source: 'stream' | 'polling' | 'none';
  /** Instances of one service that take requests; the service's name in any case. */
  up(service: string): readonly ServiceInstance[];
  /** Calls back after every change; returns what ends that. */
  onChange(listener: () => void): () => void;
  /** Calls back with each instance that goes, and how; returns what ends that. */
  onRemoval(listener: (instance: ServiceInstance, reason: RemovalReason) => void): () => void;
}

interface FollowOptions {
  readonly client: EurekaClient;
  readonly log: Logger;
  /** Time between two reads of a registry that has no change stream. @default 5000 ms */
  readonly pollIntervalMs?: number;
  /**
   * Time that an instance is kept that a restarted registry does not name, though nobody said that it is gone; longer
   * than services take to renew. @default 60000 ms
   */
  readonly keepUnannouncedMs?: number;
}

/** A registry without a change stream is asked for one again after so many reads: it may have been replaced. */
const pollsBeforeStream = 12;

/**
 * Follows a registry: by its change stream where it has one (ours does), by polling for deltas otherwise (any other
 * Eureka). A stream that breaks is opened again with the id of the last event, so that nothing is missed.
 */
export function followRegistry(options: FollowOptions): RegistryView {
  const { client, log, pollIntervalMs = 5_000, keepUnannouncedMs = 60_000 } = options;
  const removalListeners = new Set<(instance: ServiceInstance, reason: RemovalReason) => void>();
  const instances = new InstanceSet((instance, reason) => {
    for (const listener of removalListeners) listener(instance, reason);
  });
  const listeners = new Set<() => void>();
  const stop = new AbortController();
  const poller = new Poller({ client, instances, keepUnannouncedMs });
  let loaded = false;
  let source: RegistryView['source'] = 'none';
  let lastEventId: string | undefined;
  let expiry: NodeJS.Timeout | undefined;
  const faults = createFaultWarnings(log);
  const interruption = createRepeatedWarning(log);

  function changed(): void {
    loaded = true;
    interruption.over('The registry is followed again');
    faults.warnOf(instances.all);
    scheduleExpiry();
    for (const listener of listeners) listener();
  }

  function scheduleExpiry(): void {
    clearTimeout(expiry);
    const nextMs = instances.nextExpiryMs;
    if (nextMs === undefined) return;
    // A timer may fire a moment before its time.
    const expire = () => (instances.expire(Date.now()) ? changed() : scheduleExpiry());
    expiry = setTimeout(expire, Math.max(0, nextMs - Date.now()));
  }

  /** Reads the change stream until it breaks. @returns whether this registry has one */
  function followStream(): Promise<boolean> {
    return readChangeStream({
      open: signal => client.openChanges(lastEventId, signal),
      signal: stop.signal,
      hosts: client.hosts,
      onEvent(event) {
        source = 'stream';
        if (event.kind === 'change') instances.apply(event.change);
        else instances.replace(event.instances, event.complete ? undefined : Date.now() + keepUnannouncedMs);
        lastEventId = event.id ?? lastEventId;
        changed();
      },
    });
  }

  async function poll(): Promise<void> {
    source = 'polling';
    lastEventId = undefined;
    for (let polls = 0; polls < pollsBeforeStream; polls++) {
      if ((await poller.poll(stop.signal)) || !loaded) changed();
      await delay(pollIntervalMs, undefined, { signal: stop.signal });
    }
  }

  async function run(): Promise<void> {
    const backoff = new Backoff();
    while (!stop.signal.aborted) {
      const eventBefore = lastEventId;
      try {
        if (!(await followStream())) await poll();
        backoff.reset();
      } catch (error) {
        if (stop.signal.aborted) return;
        if (lastEventId !== eventBefore) backoff.reset();
        const retryMs = backoff.next();
        interruption.warn({ retryMs }, `Following the registry was interrupted: ${messageOf(error)}`);
        await pause(retryMs, stop.signal);
      }
    }
  }

  const running = run();
  return {
    get instances() {
      return instances.all;
    },
    get loaded() {
      return loaded;
    },
    get source() {
      return source;
    },
    up: service => instances.up(service),
    onChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    onRemoval(listener) {
      removalListeners.add(listener);
      return () => void removalListeners.delete(listener);
    },
    close: closeOnce(async () => {
      stop.abort();
      clearTimeout(expiry);
      await running;
      clearTimeout(expiry);
      listeners.clear();
      removalListeners.clear();
    }),
  };
}

/** Warns once of each instance that requests cannot be sent to. */
function createFaultWarnings(log: Logger) {
  let warnings = new Set<string>();
  return {
    warnOf(instances: readonly ServiceInstance[]): void {
      const before = warnings;
      warnings = new Set(
        instances.flatMap(({ app, id, addressFault }) =>
          addressFault === undefined ? [] : [`The instance ${app}/${id} is passed by: ${addressFault}`],
        ),
      );
      for (const warning of warnings) if (!before.has(warning)) log.warn(warning);
    },
  };
}
