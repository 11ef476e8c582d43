import type { RegistryView } from '../../../platform/registry/follower.ts';
import { type ServiceInstance, takesRequests } from '../../../platform/registry/instance.ts';
import type { Subgraph } from '../composition/compose.ts';
import { subgraphNameOf } from '../sdl/subgraph-instances.ts';
import type { LaunchRules } from './launch-rules.ts';

/**
 * Finds the applications that may serve a subgraph: those that the rules name, or else the one that has it already.
 *
 * @param holder application that the subgraph was put in service with
 * @returns undefined when any may
 */
export function applicationsOf(
  { subgraphs }: Pick<LaunchRules, 'subgraphs'>,
  subgraph: string,
  holder: string | undefined,
): readonly string[] | undefined {
  if (Object.hasOwn(subgraphs, subgraph)) return subgraphs[subgraph];
  return holder === undefined ? undefined : [holder];
}

/** Instances of an application that names a subgraph which is not its own. */
export interface ForeignApplication {
  readonly subgraph: string;
  readonly application: string;
  /** Instances that would take requests. */
  readonly instances: number;
}

/** Finds the applications that name a subgraph which they may not serve. */
export function findForeignApplications(
  instances: readonly ServiceInstance[],
  mayServe: (instance: ServiceInstance) => boolean,
): ForeignApplication[] {
  const foundByKey = new Map<string, ForeignApplication>();
  for (const instance of instances) {
    if (!takesRequests(instance) || mayServe(instance)) continue;
    const [subgraph, application] = [subgraphNameOf(instance), instance.app];
    const key = `${application}/${subgraph}`;
    const count = foundByKey.get(key)?.instances ?? 0;
    foundByKey.set(key, { subgraph, application, instances: count + 1 });
  }
  return [...foundByKey.values()];
}

/** A registry of which some instances are not seen. */
export interface RestrictedRegistry {
  readonly view: RegistryView;
  /** Tells those who follow the view that others may be seen now. */
  changed(): void;
}

/** Hides the instances that may not serve the subgraph that they name: they are neither read nor sent requests. */
export function restrictRegistry(
  registry: RegistryView,
  mayServe: (instance: ServiceInstance) => boolean,
): RestrictedRegistry {
  const listeners = new Set<() => void>();
  return {
    view: {
      get instances() {
        return registry.instances.filter(mayServe);
      },
      get loaded() {
        return registry.loaded;
      },
      get source() {
        return registry.source;
      },
      up: service => registry.up(service).filter(mayServe),
      onChange(listener) {
        listeners.add(listener);
        const unfollow = registry.onChange(listener);
        return () => {
          listeners.delete(listener);
          unfollow();
        };
      },
      onRemoval: listener =>
        registry.onRemoval((instance, reason) => {
          if (mayServe(instance)) listener(instance, reason);
        }),
      close: () => registry.close(),
    },
    changed() {
      for (const listener of listeners) listener();
    },
  };
}

interface Holders {
  /** Instances that serve a version of the graph. */
  readonly candidatesOf: (version: Subgraph) => readonly ServiceInstance[];
  /** The application that has a subgraph already. */
  readonly holderOf: (subgraph: string) => string | undefined;
}

/**
 * Finds the application that has each subgraph of the graph: as before, or else the one that alone serves it. Of several, none has
 * it: which one registered first is what they say of themselves.
 */
export function holdersOf(
  subgraphs: readonly Subgraph[],
  { candidatesOf, holderOf }: Holders,
): ReadonlyMap<string, string> {
  return new Map(
    subgraphs.flatMap(version => {
      const applications = new Set(candidatesOf(version).map(({ app }) => app));
      const [only] = applications;
      const holder = holderOf(version.name) ?? (applications.size === 1 ? only : undefined);
      return holder === undefined ? [] : [[version.name, holder] as const];
    }),
  );
}
