import type { LookupFunction } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { LRUCache } from 'lru-cache';
import { Agent } from 'undici';
import { Backoff } from '../../../platform/backoff.ts';
import { messageOf } from '../../../platform/errors.ts';
import { type Closable, closeOnce } from '../../../platform/lifecycle.ts';
import { metadataKeys, type ServiceInstance } from '../../../platform/registry/instance.ts';
import { lookupAnyHost } from '../../../platform/registry/instance-connections.ts';
import type { Subgraph } from '../composition/compose.ts';
import { fetchSdl } from './fetch-sdl.ts';
import { declaresSubgraph, subgraphNameOf } from './subgraph-instances.ts';

/** Versions that the instances of a subgraph serve, as far as they could be read. */
export interface SubgraphVersions {
  readonly name: string;
  /** The versions whose SDL is known, that of the instance that registered last first. */
  readonly versions: readonly Subgraph[];
  /** Reasons for which SDLs could not be read. */
  readonly failures: readonly string[];
  /** True if an instance says itself that it serves a subgraph; of other services a failure means nothing. */
  readonly declared: boolean;
}

/** Reads the SDLs of subgraphs from their instances. */
export interface SdlReader extends Closable {
  /**
   * Reads what is not known yet, all at once, and says what is known after a moment: who is slow keeps nobody waiting.
   *
   * @param instancesByName instances by the subgraph's name; what was read of others is forgotten
   * @param onLateRead is called when something has been read after the answer
   */
  read(
    instancesByName: ReadonlyMap<string, readonly ServiceInstance[]>,
    onLateRead: () => void,
  ): Promise<SubgraphVersions[]>;
  /** Hash of what an instance serves; undefined until that is known. */
  versionOf(instance: ServiceInstance): string | undefined;
  /** Time at which something is to be read again, in ms since 1970: after a failure, or what may have changed. */
  readonly nextReadMs: number;
}

interface SdlReaderOptions {
  /** Time between two reads of an SDL that has not been served yet, or whose instance tells of no changes, in ms. */
  readonly pollIntervalMs: number;
  /** The SDL of a version that has been served, which is not read again; undefined of any other. */
  readonly servedSdlOf: (name: string, hash: string) => string | undefined;
  /** Looks up the hosts of instances. @default anywhere where a service can be */
  readonly lookup?: LookupFunction;
}

/** Instances that serve the same SDL: those of a version, or one that does not say its version. */
interface Source {
  readonly key: string;
  readonly hash: string | undefined;
  readonly instances: ServiceInstance[];
}

/** Outcome of reading a source. */
interface Reading {
  known: { readonly sdl: string; readonly hash: string } | undefined;
  failure: string | undefined;
  /** Time at which it is to be read, in ms since 1970; never while it is being read. */
  nextMs: number;
  readonly backoff: Backoff;
}

/** Time that the answers of instances are waited for, in ms; most take a few. */
const patienceMs = 250;
const connectTimeoutMs = 2_000;
const backoffOptions = { firstMs: 500, maxMs: 30_000 };
/** Instances of which it is remembered what they served. */
const maxRemembered = 10_000;

/** Makes the reader. Versions are told apart by the `schema.hash` that an instance registers, or else by their SDL. */
export function createSdlReader(options: SdlReaderOptions): SdlReader {
  const { pollIntervalMs, servedSdlOf, lookup = lookupAnyHost } = options;
  const agent = new Agent({ connections: 4, connect: { timeout: connectTimeoutMs, lookup } });
  const stop = new AbortController();
  const readingByKey = new Map<string, Reading>();
  // By name, id and address: what an instance without a hash served before it registered anew.
  const servedByInstance = new LRUCache<string, NonNullable<Reading['known']>>({ max: maxRemembered });

  async function fetchFromAny(instances: readonly ServiceInstance[]) {
    const failures: string[] = [];
    for (const instance of instances)
      try {
        return await fetchSdl(instance, { agent, signal: stop.signal });
      } catch (error) {
        failures.push(messageOf(error));
      }

    throw new Error(failures.join('; '));
  }

  async function readSource({ hash, instances }: Source, reading: Reading): Promise<void> {
    reading.nextMs = Number.POSITIVE_INFINITY;
    try {
      const read = await fetchFromAny(instances);
      reading.known = { sdl: read.sdl, hash: hash ?? read.hash };
      if (hash === undefined)
        for (const instance of instances) servedByInstance.set(placeOf(instance), reading.known);
      reading.failure = undefined;
      reading.backoff.reset();
      reading.nextMs = Date.now() + pollIntervalMs;
    } catch (error) {
      reading.failure = messageOf(error);
      reading.nextMs = Date.now() + reading.backoff.next();
    }
  }

  /** The SDL of a source, as far as it is known; of an instance that has just registered anew, the SDL that it served before. */
  function knownOf({ key, hash, instances: [first] }: Source): Reading['known'] {
    const { known } = readingByKey.get(key) ?? newReading();
    return known ?? (hash === undefined && first ? servedByInstance.get(placeOf(first)) : undefined);
  }

  /** Starts to read each source whose time has come, and forgets the sources that are not there. */
  function startReading(sources: readonly Source[]): Promise<void>[] {
    const keys = new Set(sources.map(({ key }) => key));
    for (const key of readingByKey.keys()) if (!keys.has(key)) readingByKey.delete(key);
    return sources.flatMap(source => {
      const reading = readingByKey.get(source.key) ?? newReading();
      readingByKey.set(source.key, reading);
      return reading.nextMs <= Date.now() ? [readSource(source, reading)] : [];
    });
  }

  function versionsAt(name: string, instances: readonly ServiceInstance[]): SubgraphVersions {
    const versions: Subgraph[] = [];
    const failures: string[] = [];
    for (const source of sourcesOf(name, instances)) {
      const { key, hash } = source;
      const servedSdl = hash === undefined ? undefined : servedSdlOf(name, hash);
      const known = knownOf(source);
      const { failure } = readingByKey.get(key) ?? newReading();
      const version = hash !== undefined && servedSdl !== undefined ? { hash, sdl: servedSdl } : known;
      if (version && !versions.some(each => each.hash === version.hash)) versions.push({ name, ...version });
      if (!version && failure !== undefined) failures.push(failure);
    }
    return { name, versions, failures, declared: instances.some(declaresSubgraph) };
  }

  return {
    async read(instancesByName, onLateRead) {
      const unknown = [...instancesByName].flatMap(([name, instances]) =>
        sourcesOf(name, instances).filter(
          ({ hash }) => hash === undefined || servedSdlOf(name, hash) === undefined,
        ),
      );
      const reads = startReading(unknown);
      let hasAnswered = false;
      for (const read of reads) void read.then(() => (hasAnswered ? onLateRead() : undefined));
      const allRead = new AbortController();
      await Promise.race([
        Promise.all(reads),
        delay(patienceMs, undefined, { signal: allRead.signal }).catch(() => {}),
      ]);
      allRead.abort();
      hasAnswered = true;
      return [...instancesByName].map(([name, instances]) => versionsAt(name, instances));
    },
    versionOf(instance) {
      const hash = hashIn(instance);
      if (hash !== undefined) return hash;
      const key = keyOf(subgraphNameOf(instance), instance);
      return knownOf({ key, hash, instances: [instance] })?.hash;
    },
    get nextReadMs() {
      return Math.min(...[...readingByKey.values()].map(({ nextMs }) => nextMs));
    },
    close: closeOnce(async () => {
      stop.abort();
      await agent.close();
    }),
  };
}

function newReading(): Reading {
  return { known: undefined, failure: undefined, nextMs: 0, backoff: new Backoff(backoffOptions) };
}

/** Groups the instances of a subgraph by their SDL, that of the instance that registered last first. */
function sourcesOf(name: string, instances: readonly ServiceInstance[]): Source[] {
  const sourceByKey = new Map<string, Source>();
  for (const instance of [...instances].sort((a, b) => b.lastDirtyTimestampMs - a.lastDirtyTimestampMs)) {
    const key = keyOf(name, instance);
    const source = sourceByKey.get(key) ?? { key, hash: hashIn(instance), instances: [] };
    source.instances.push(instance);
    sourceByKey.set(key, source);
  }
  return [...sourceByKey.values()];
}

/** Instances of a subgraph with the same schema hash serve the same; without a hash each registration is for itself. */
function keyOf(name: string, instance: ServiceInstance): string {
  const { app, id, lastDirtyTimestampMs } = instance;
  const hash = hashIn(instance);
  return hash === undefined ? `${name}/${app}/${id} ${lastDirtyTimestampMs}` : `${name}/#${hash}`;
}

/** Key of an instance that stays the same when it registers anew. */
function placeOf(instance: ServiceInstance): string {
  const { app, id, host, port } = instance;
  return `${subgraphNameOf(instance)}/${app}/${id} ${host}:${port}`;
}

function hashIn({ metadata }: ServiceInstance): string | undefined {
  return metadata[metadataKeys.schemaHash];
}
