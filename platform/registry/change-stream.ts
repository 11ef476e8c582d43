import { createParser, type EventSourceMessage } from 'eventsource-parser';
import type { InstanceHosts } from './host.ts';
import type { InstanceChange, ServiceInstance } from './instance.ts';
import { parseApplications, parseChange } from './read-instances.ts';
import type { EventStream } from './registry-calls.ts';

/** Event of a registry's change stream. */
export type RegistryEvent =
  | {
      readonly kind: 'snapshot';
      readonly id: string | undefined;
      readonly instances: readonly ServiceInstance[];
      /** False while the registry has just started and may not know every instance yet. */
      readonly complete: boolean;
    }
  | { readonly kind: 'change'; readonly id: string | undefined; readonly change: InstanceChange };

interface ReadOptions {
  /** Opens the stream; undefined when the registry has none. */
  readonly open: (signal: AbortSignal) => Promise<EventStream | undefined>;
  readonly signal: AbortSignal;
  /** Places where instances may be. */
  readonly hosts: InstanceHosts;
  readonly onEvent: (event: RegistryEvent) => void;
}

/** Longest silence of a change stream; the registry sends a comment more often than this. */
const streamSilenceMs = 15_000;

/** Largest event, in characters: a snapshot of more instances than a registry takes by default. */
const maxEventLength = 256 * 1024 * 1024;

/**
 * Reads a registry's change stream until it ends, which it does only by a fault.
 *
 * @returns false when the registry has no change stream
 * @throws Error when the stream ends, falls silent, or cannot be read
 */
export async function readChangeStream({ open, signal, hosts, onEvent }: ReadOptions): Promise<boolean> {
  const ended = new AbortController();
  const giveUp = () => ended.abort(signal.reason);
  signal.addEventListener('abort', giveUp, { once: true });
  const silence = setTimeout(() => ended.abort(new Error('the stream fell silent')), streamSilenceMs);
  try {
    const response = await open(ended.signal);
    if (!response) return false;
    const parser = createParser({
      maxBufferSize: maxEventLength,
      onEvent: createReader(hosts, onEvent),
      onError(error) {
        if (error.type === 'max-buffer-size-exceeded') throw error;
      },
    });
    const decoder = new TextDecoder();
    for await (const chunk of response.body) {
      silence.refresh();
      parser.feed(decoder.decode(chunk as Uint8Array, { stream: true }));
    }
    throw new Error('the stream ended');
  } finally {
    clearTimeout(silence);
    signal.removeEventListener('abort', giveUp);
    ended.abort();
  }
}

/** `registry` comes before the snapshot that it speaks of. */
function createReader(hosts: InstanceHosts, onEvent: (event: RegistryEvent) => void) {
  let complete = true;
  return ({ event, id, data }: EventSourceMessage): void => {
    switch (event) {
      case 'registry':
        complete = (JSON.parse(data) as { complete?: unknown }).complete !== false;
        break;
      case 'snapshot':
        onEvent({ kind: 'snapshot', id, instances: parseApplications(JSON.parse(data), hosts), complete });
        break;
      case 'change': {
        const { instance } = JSON.parse(data) as { instance: unknown };
        onEvent({ kind: 'change', id, change: parseChange(instance, hosts) });
        break;
      }
      default:
      // A newer registry may tell more.
    }
  };
}
