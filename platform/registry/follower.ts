import { setTimeout as delay } from 'node:timers/promises';
import { createParser } from 'eventsource-parser';
import { messageOf } from '../errors.ts';
import { type Closable, closeOnce } from '../lifecycle.ts';
import type { Logger } from '../log.ts';
import type { EurekaClient } from './eureka-client.ts';
import { parseApplications, parseInstance, type ServiceInstance } from './instance.ts';

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
}

interface FollowOptions {
  readonly client: EurekaClient;
  readonly log: Logger;
  /** Time between two reads of a registry that has no change stream. @default 5000 ms */
  readonly pollIntervalMs?: number;
}

/** Longest silence of a change stream; the registry sends a comment more often than this. */
const streamSilenceMs = 15_000;
const firstRetryMs = 100;
const maxRetryMs = 5_000;

/**
 * Follows a registry: by its change stream where it has one (ours does), by polling otherwise (any other Eureka).
 * A stream that breaks is opened again with the id of the last event, so that nothing is missed.
 */
export function followRegistry({ client, log, pollIntervalMs = 5_000 }: FollowOptions): RegistryView {
  const instancesByKey = new Map<string, ServiceInstance>();
  const listeners = new Set<() => void>();
  const stop = new AbortController();
  let upByApp: Map<string, ServiceInstance[]> | undefined;
  let loaded = false;
  let source: RegistryView['source'] = 'none';
  let lastEventId: string | undefined;

  function changed(): void {
    upByApp = undefined;
    loaded = true;
    for (const listener of listeners) listener();
  }

  function replaceAll(instances: readonly ServiceInstance[]): void {
    instancesByKey.clear();
    for (const instance of instances) instancesByKey.set(keyOf(instance), instance);
    changed();
  }

  function apply(event: { event?: string | undefined; id?: string | undefined; data: string }): void {
    const data: unknown = JSON.parse(event.data);
    if (event.event === 'snapshot') replaceAll(parseApplications(data));
    else if (event.event === 'change') {
      const { instance } = data as { instance: { actionType?: string } };
      const parsed = parseInstance(instance);
      if (instance.actionType === 'DELETED') instancesByKey.delete(keyOf(parsed));
      else instancesByKey.set(keyOf(parsed), parsed);
      changed();
    }
    if (event.id !== undefined) lastEventId = event.id;
  }

  /** Reads the stream until it ends. False when this registry has none. */
  async function readStream(): Promise<boolean> {
    const ended = new AbortController();
    const signal = AbortSignal.any([stop.signal, ended.signal]);
    const silence = setTimeout(() => ended.abort(new Error('the stream fell silent')), streamSilenceMs);
    try {
      const response = await client.openChanges(lastEventId, signal);
      if (!response) return false;
      source = 'stream';
      const parser = createParser({ onEvent: apply });
      const decoder = new TextDecoder();
      for await (const chunk of response.body) {
        silence.refresh();
        parser.feed(decoder.decode(chunk as Uint8Array, { stream: true }));
      }
      throw new Error('the stream ended');
    } finally {
      clearTimeout(silence);
      ended.abort();
    }
  }

  async function run(): Promise<void> {
    let retryMs = firstRetryMs;
    while (!stop.signal.aborted) {
      const eventBefore = lastEventId;
      try {
        if (!(await readStream())) {
          source = 'polling';
          replaceAll(await client.fetchAll({ signal: stop.signal }));
          retryMs = firstRetryMs;
          await delay(pollIntervalMs, undefined, { signal: stop.signal });
        }
      } catch (error) {
        if (stop.signal.aborted) return;
        if (lastEventId !== eventBefore) retryMs = firstRetryMs;
        log.warn({ retryMs }, `Following the registry was interrupted: ${messageOf(error)}`);
        await delay(retryMs, undefined, { signal: stop.signal }).catch(() => {});
        retryMs = Math.min(retryMs * 2, maxRetryMs);
      }
    }
  }

  const running = run();
  return {
    get instances() {
      return [...instancesByKey.values()];
    },
    get loaded() {
      return loaded;
    },
    get source() {
      return source;
    },
    up(service) {
      upByApp ??= groupUp(instancesByKey.values());
      return upByApp.get(service.toUpperCase()) ?? [];
    },
    onChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    close: closeOnce(async () => {
      stop.abort();
      await running;
      listeners.clear();
    }),
  };
}

function keyOf({ app, id }: ServiceInstance): string {
  return `${app}/${id}`;
}

function groupUp(instances: Iterable<ServiceInstance>): Map<string, ServiceInstance[]> {
  const upByApp = new Map<string, ServiceInstance[]>();
  for (const instance of instances) {
    if (instance.status !== 'UP') continue;
    const known = upByApp.get(instance.app);
    if (known) known.push(instance);
    else upByApp.set(instance.app, [instance]);
  }
  return upByApp;
}
