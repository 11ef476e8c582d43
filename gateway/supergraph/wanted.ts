import type { RegistryView } from '../../platform/registry/follower.ts';
import { metadataKeys, type ServiceInstance } from '../../platform/registry/instance.ts';

/** A subgraph that the registry tells of. */
export interface WantedSubgraph {
  readonly name: string;
  /** Instances that take requests. */
  readonly instances: readonly ServiceInstance[];
}

/** Subgraphs that the registry tells of, by name: those with an instance that takes requests and serves one. */
export function wantedSubgraphs({ instances }: Pick<RegistryView, 'instances'>): Map<string, WantedSubgraph> {
  const instancesByName = new Map<string, ServiceInstance[]>();
  for (const instance of instances) {
    const name = subgraphNameOf(instance);
    if (!name || instance.status !== 'UP') continue;
    const known = instancesByName.get(name);
    if (known) known.push(instance);
    else instancesByName.set(name, [instance]);
  }
  return new Map([...instancesByName].map(([name, found]) => [name, { name, instances: found }]));
}

/** Name of the subgraph that an instance serves; without our metadata, the service's own. Empty when it serves none. */
export function subgraphNameOf({ app, metadata }: ServiceInstance): string {
  return metadata[metadataKeys.subgraph] ?? app.toLowerCase();
}
