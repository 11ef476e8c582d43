import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '../errors.ts';
import { type Closable, closeOnce } from '../lifecycle.ts';
import type { Logger } from '../log.ts';
import { readChangeStream } from './change-stream.ts';
import type { EurekaClient } from './eureka-client.ts';
import type { Departure, ServiceInstance } from './instance.ts';
import { InstanceSet } from './instance-set.ts';
import { Poller } from './poller.ts';
import { createRepeatedWarning } from './repeated-warning.ts';

/** A live copy of the registry. It keeps what it last knew while the registry is away. */
export interface RegistryView extends Closable {
  /** Every instance, of every status. */
  readonly instances: readonly ServiceInstance[];
  /** Whether the registry has been read at least once. */
  readonly loaded: boolean;
  /** How changes arrive now. */
  readonly source: 'stream' | 'polling' | 'none';
  /** Instances of one service that take requests; the service's name in any case. */
  up(service: string): readonly ServiceInstance[];
  /** Calls back after every change; returns what ends that. */
  onChange(listener: () => void): () => void;
  /** Calls back with each instance that goes, and how; returns what ends that. */
  onDeparture(listener: (instance: ServiceInstance, departure: Departure) => void): () => void;
}

interface FollowOptions {
  readonly client: EurekaClient;
  readonly log: Logger;
  /** Time between two reads of a registry that has no change stream. @default 5000 ms */
  readonly pollIntervalMs?: number;
  /**
   * How long an instance is kept that a restarted registry does not name, though nobody said that it is gone; longer
   * than services take to renew. @default 60000 ms
   */
  readonly keepUnannouncedMs?: number;
}

const firstRetryMs = 100;
const maxRetryMs = 5_000;
/** A registry without a change stream is asked for one again after so many reads: it may have been replaced. */
const pollsBeforeStream = 12;

/**
 * Follows a registry: by its change stream where it has one (ours does), by polling for deltas otherwise (any other
 * Eureka). A stream that breaks is opened again with the id of the last event, so that nothing is missed.
 */
export function followRegistry(options: FollowOptions): RegistryView {
  const { client, log, pollIntervalMs = 5_000, keepUnannouncedMs = 60_000 } = options;
  const departureListeners = new Set<(instance: ServiceInstance, departure: Departure) => void>();
  const instances = new InstanceSet((instance, departure) => {
    for (const listener of departureListeners) listener(instance, departure);
  });
  const listeners = new Set<() => void>();
  const stop = new AbortController();
  const poller = new Poller({ client, instances, keepUnannouncedMs });
  let loaded = false;
  let source: RegistryView['source'] = 'none';
  let lastEventId: string | undefined;
  let expiry: NodeJS.Timeout | undefined;
  let warnings = new Set<string>();
  const interruption = createRepeatedWarning(log);

  /** Says once of each instance that can't be used that it is passed by. */
  function warnOfFaults(): void {
    const before = warnings;
    warnings = new Set(
      instances.all.flatMap(({ app, id, addressFault }) =>
        addressFault === undefined ? [] : [`The instance ${app}/${id} is passed by: ${addressFault}`],
      ),
    );
    for (const warning of warnings) if (!before.has(warning)) log.warn(warning);
  }

  function changed(): void {
    loaded = true;
    interruption.over('The registry is followed again');
    warnOfFaults();
    scheduleExpiry();
    for (const listener of listeners) listener();
  }

  function scheduleExpiry(): void {
    clearTimeout(expiry);
    const nextMs = instances.nextExpiryMs;
    if (nextMs === undefined) return;
    expiry = setTimeout(
      () => {
        // A timer may fire a moment before its time.
        if (instances.expire(Date.now())) changed();
        else scheduleExpiry();
      },
      Math.max(0, nextMs - Date.now()),
    );
  }

  /** Reads the change stream until it breaks. False when this registry has none. */
  async function followStream(): Promise<boolean> {
    const response = await readChangeStream({
      open: signal => client.openChanges(lastEventId, signal),
      signal: stop.signal,
      onEvent(event) {
        source = 'stream';
        if (event.kind === 'change') instances.apply(event.change);
        else instances.replace(event.instances, event.complete ? undefined : Date.now() + keepUnannouncedMs);
        lastEventId = event.id ?? lastEventId;
        changed();
      },
    });
    return response;
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
    let retryMs = firstRetryMs;
    while (!stop.signal.aborted) {
      const eventBefore = lastEventId;
      try {
        if (!(await followStream())) await poll();
        retryMs = firstRetryMs;
      } catch (error) {
        if (stop.signal.aborted) return;
        if (lastEventId !== eventBefore) retryMs = firstRetryMs;
        interruption.warn({ retryMs }, `Following the registry was interrupted: ${messageOf(error)}`);
        await delay(retryMs, undefined, { signal: stop.signal }).catch(() => {});
        retryMs = Math.min(retryMs * 2, maxRetryMs);
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
    onDeparture(listener) {
      departureListeners.add(listener);
      return () => void departureListeners.delete(listener);
    },
    close: closeOnce(async () => {
      stop.abort();
      clearTimeout(expiry);
      await running;
      clearTimeout(expiry);
      listeners.clear();
      departureListeners.clear();
    }),
  };
}
