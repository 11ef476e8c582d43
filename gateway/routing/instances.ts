import { PorticoError } from '../../platform/errors.ts';
import { type Closable, closeOnce } from '../../platform/lifecycle.ts';
import type { RegistryView } from '../../platform/registry/follower.ts';
import { graphqlUrlOf } from '../../platform/service-client.ts';
import { wantedSubgraphs } from '../supergraph/wanted.ts';

/** One instance of a subgraph, as requests are sent to it. */
export interface Endpoint {
  readonly id: string;
  readonly subgraph: string;
  /** Address of its GraphQL endpoint, over HTTP. */
  readonly url: string;
  /** Requests that it has not answered yet. */
  outstanding: number;
}

/** Which instance gets a request. */
export interface Instances extends Closable {
  /**
   * The instance with the fewest requests outstanding; among equals, each in turn.
   * @param except instances that were tried already
   * @throws PorticoError SUBGRAPH_UNAVAILABLE when there is none
   */
  pick(subgraph: string, except?: ReadonlySet<Endpoint>): Endpoint;
}

/** Follows the registry for the instances of each subgraph. */
export function createInstances(registry: RegistryView): Instances {
  let endpointsBySubgraph = new Map<string, Endpoint[]>();
  let turn = 0;

  function refresh(): void {
    const before = new Map(
      [...endpointsBySubgraph.values()].flat().map(each => [`${each.id} ${each.url}`, each]),
    );
    endpointsBySubgraph = new Map(
      [...wantedSubgraphs(registry).values()].map(({ name, instances }) => [
        name,
        instances.map(instance => {
          const url = graphqlUrlOf(instance);
          return (
            before.get(`${instance.id} ${url}`) ?? { id: instance.id, subgraph: name, url, outstanding: 0 }
          );
        }),
      ]),
    );
  }

  refresh();
  const unfollow = registry.onChange(refresh);
  return {
    pick(subgraph, except) {
      const endpoints = (endpointsBySubgraph.get(subgraph) ?? []).filter(endpoint => !except?.has(endpoint));
      turn += 1;
      let best: Endpoint | undefined;
      for (let offset = 0; offset < endpoints.length; offset++) {
        const endpoint = endpoints[(turn + offset) % endpoints.length];
        if (endpoint && (!best || endpoint.outstanding < best.outstanding)) best = endpoint;
      }
      if (best) return best;
      throw new PorticoError(
        'SUBGRAPH_UNAVAILABLE',
        except?.size
          ? `No instance of the subgraph '${subgraph}' could be reached`
          : `No instance of the subgraph '${subgraph}' is registered`,
        { details: { subgraph } },
      );
    },
    close: closeOnce(async () => unfollow()),
  };
}
