import type { RegistryView } from '../../../platform/registry/follower.ts';
import { metadataKeys, type ServiceInstance, takesRequests } from '../../../platform/registry/instance.ts';

/** Instances that take requests and may serve a subgraph, by the subgraph's name. */
export function instancesBySubgraph({
  instances,
}: Pick<RegistryView, 'instances'>): Map<string, ServiceInstance[]> {
  const instancesByName = new Map<string, ServiceInstance[]>();
  for (const instance of instances) {
    const name = subgraphNameOf(instance);
    if (!name || !takesRequests(instance)) continue;
    const known = instancesByName.get(name);
    if (known) known.push(instance);
    else instancesByName.set(name, [instance]);
  }
  return instancesByName;
}

/** Name of the subgraph that an instance serves; without our metadata, the service's own. Empty when it serves none. */
export function subgraphNameOf({ app, metadata }: ServiceInstance): string {
  return metadata[metadataKeys.subgraph] ?? app.toLowerCase();
}

/** Tells whether an instance says itself that it serves a subgraph. Any other service in the registry may or may not. */
export function declaresSubgraph({ metadata }: ServiceInstance): boolean {
  return metadata[metadataKeys.subgraph] !== undefined;
}
