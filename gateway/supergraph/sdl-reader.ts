import type { Dispatcher } from 'undici';
import { messageOf } from '../../platform/errors.ts';
import { metadataKeys, type ServiceInstance } from '../../platform/registry/instance.ts';
import type { Subgraph } from './compose.ts';
import { declaresSubgraph } from './offers.ts';
import { fetchSdl } from './sdl.ts';

/** What the instances of a subgraph offer. */
export interface Offer {
  readonly name: string;
  /** The versions whose SDL could be read, that of the instance that registered last first. */
  readonly versions: readonly Subgraph[];
  /** Why SDLs could not be read. */
  readonly failures: readonly string[];
  /** Whether an instance says itself that it serves a subgraph; of other services a failure means nothing. */
  readonly declared: boolean;
}

/** Reads the SDLs of subgraphs from their instances, each version once. */
export interface SdlReader {
  read(name: string, instances: readonly ServiceInstance[]): Promise<Offer>;
  /** Hash of what an instance serves; undefined until that is known. */
  versionOf(instance: ServiceInstance): string | undefined;
  /** When something is to be read again, in ms since 1970: after a failure, or where nobody tells of changes. */
  readonly nextReadMs: number;
}

interface SdlReaderOptions {
  readonly agent: Dispatcher;
  readonly signal: AbortSignal;
  /** How often an instance that does not register a schema hash is asked again, in ms. */
  readonly pollIntervalMs: number;
}

interface Known {
  readonly sdl: string;
  readonly hash: string;
  /** When it is to be read again, in ms since 1970. */
  readonly staleAtMs: number;
}

interface Failure {
  readonly message: string;
  readonly retryAtMs: number;
  readonly delayMs: number;
}

const firstRetryMs = 500;
const maxRetryMs = 30_000;
/** Instances whose SDLs are remembered. */
const maxKnown = 1_000;

/** Makes the reader. Versions are told apart by the `schema.hash` that an instance registers, or else by their SDL. */
export function createSdlReader({ agent, signal, pollIntervalMs }: SdlReaderOptions): SdlReader {
  const knownByKey = new Map<string, Known>();
  const failureByKey = new Map<string, Failure>();

  async function readVersion(name: string, instance: ServiceInstance): Promise<Subgraph> {
    const key = keyOf(instance);
    const known = knownByKey.get(key);
    if (known && known.staleAtMs > Date.now()) return { name, sdl: known.sdl, hash: known.hash };
    const failure = failureByKey.get(key);
    if (failure && failure.retryAtMs > Date.now()) throw new Error(failure.message);
    try {
      const { sdl, hash } = await fetchSdl(instance, { agent, signal });
      const label = instance.metadata[metadataKeys.schemaHash];
      const read = {
        sdl,
        hash: label ?? hash,
        staleAtMs: label === undefined ? Date.now() + pollIntervalMs : Number.POSITIVE_INFINITY,
      };
      knownByKey.delete(key);
      knownByKey.set(key, read);
      if (knownByKey.size > maxKnown) knownByKey.delete(knownByKey.keys().next().value ?? '');
      failureByKey.delete(key);
      return { name, sdl, hash: read.hash };
    } catch (error) {
      const delayMs = Math.min((failure?.delayMs ?? firstRetryMs / 2) * 2, maxRetryMs);
      failureByKey.set(key, { message: messageOf(error), retryAtMs: Date.now() + delayMs, delayMs });
      if (known) return { name, sdl: known.sdl, hash: known.hash };
      throw error;
    }
  }

  function forgetGone(instances: readonly ServiceInstance[]): void {
    const keys = new Set(instances.map(keyOf));
    const prefix = `${instances[0]?.app}/`;
    for (const key of failureByKey.keys())
      if (key.startsWith(prefix) && !keys.has(key)) failureByKey.delete(key);
    for (const [key, { staleAtMs }] of knownByKey)
      if (key.startsWith(prefix) && !keys.has(key) && Number.isFinite(staleAtMs)) knownByKey.delete(key);
  }

  return {
    async read(name, instances) {
      forgetGone(instances);
      const lastRegisteredFirst = [...instances].sort(
        (a, b) => b.lastDirtyTimestampMs - a.lastDirtyTimestampMs,
      );
      const failures = new Set<string>();
      const versionByHash = new Map<string, Subgraph>();
      for (const instance of lastRegisteredFirst) {
        try {
          const version = await readVersion(name, instance);
          if (!versionByHash.has(version.hash)) versionByHash.set(version.hash, version);
        } catch (error) {
          failures.add(messageOf(error));
        }
      }
      return {
        name,
        versions: [...versionByHash.values()],
        failures: [...failures],
        declared: instances.some(declaresSubgraph),
      };
    },
    versionOf: instance =>
      knownByKey.get(keyOf(instance))?.hash ?? instance.metadata[metadataKeys.schemaHash],
    get nextReadMs() {
      const times = [
        ...[...failureByKey.values()].map(({ retryAtMs }) => retryAtMs),
        ...[...knownByKey.values()].map(({ staleAtMs }) => staleAtMs),
      ];
      return Math.min(...times);
    },
  };
}

/** Instances of a service with the same schema hash serve the same; without a hash each registration is for itself. */
function keyOf({ app, id, metadata, lastDirtyTimestampMs }: ServiceInstance): string {
  const hash = metadata[metadataKeys.schemaHash];
  return hash === undefined ? `${app}/${id} ${lastDirtyTimestampMs}` : `${app}/#${hash}`;
}
