import { Gauge, type Registry } from 'prom-client';
import { type Closable, closeOnce } from '../../platform/lifecycle.ts';
import type { RegistryView } from '../../platform/registry/follower.ts';
import { type ServiceInstance, takesRequests } from '../../platform/registry/instance.ts';
import { GatewayError } from '../gateway-error.ts';
import { instancesBySubgraph, subgraphNameOf } from '../supergraph/sdl/subgraph-instances.ts';
import { Endpoint } from './endpoint.ts';

/** Instances that may get a request. */
export interface PickOptions {
  /**
   * Instances that serve the schema that was composed. Without one of them, `strict` decides whether any other may get
   * the request.
   */
  readonly serves: (instance: ServiceInstance) => boolean;
  readonly strict: boolean;
  /** Instances that were tried already. */
  readonly except?: ReadonlySet<Endpoint>;
}

/** Choice of the instance that gets a request. */
export interface Instances extends Closable {
  /**
   * The instance with the fewest requests outstanding; among equals those of the gateway's zone, each in turn. Instances
   * that are ejected for their failures come last: when there are no others, the one whose ejection ends first.
   * @throws PorticoError SUBGRAPH_UNAVAILABLE when there is none
   */
  pick(subgraph: string, options: PickOptions): Endpoint;
  /** The same; undefined when there is none. */
  find(subgraph: string, options: PickOptions): Endpoint | undefined;
  /** Calls back when a subgraph has got an instance that it did not have; returns what ends that. */
  onArrival(listener: (subgraph: string) => void): () => void;
}

interface Known {
  readonly instance: ServiceInstance;
  readonly endpoint: Endpoint;
}

interface InstancesOptions {
  readonly registry: RegistryView;
  readonly metrics: Registry;
  /** Zone of the gateway. */
  readonly zone?: string | undefined;
}

/** Follows the registry for the instances of each subgraph. */
export function createInstances({ registry, metrics, zone }: InstancesOptions): Instances {
  let knownBySubgraph = new Map<string, Known[]>();
  const arrivalListeners = new Set<(subgraph: string) => void>();
  let turn = 0;

  function refresh(): void {
    const before = new Map([...knownBySubgraph.values()].flat().map(known => [keyOf(known.instance), known]));
    const arrivals = new Set<string>();
    knownBySubgraph = new Map(
      [...instancesBySubgraph(registry)].map(([subgraph, instances]) => [
        subgraph,
        instances.map(instance => {
          const known = before.get(keyOf(instance));
          if (!known) arrivals.add(subgraph);
          return { instance, endpoint: known?.endpoint ?? new Endpoint(subgraph, instance, { zone }) };
        }),
      ]),
    );
    for (const subgraph of arrivals) for (const listener of arrivalListeners) listener(subgraph);
  }

  function find(subgraph: string, { serves, strict, except }: PickOptions): Endpoint | undefined {
    turn += 1;
    const known = knownBySubgraph.get(subgraph) ?? [];
    let serving: Endpoint | undefined;
    let other: Endpoint | undefined;
    for (let offset = 0; offset < known.length; offset++) {
      const { instance, endpoint } = known[(turn + offset) % known.length] as Known;
      if (except?.has(endpoint)) continue;
      if (serves(instance)) serving = better(serving, endpoint);
      else if (!strict) other = better(other, endpoint);
    }
    return serving ?? other;
  }

  refresh();
  const unfollow = registry.onChange(refresh);
  observe(metrics, () => [...knownBySubgraph].map(([subgraph, known]) => ({ subgraph, known })));
  return {
    find,
    pick(subgraph, options) {
      const best = find(subgraph, options);
      if (best) return best;
      throw new GatewayError('SUBGRAPH_UNAVAILABLE', absence(subgraph, registry), {
        details: { subgraph },
      });
    },
    onArrival(listener) {
      arrivalListeners.add(listener);
      return () => void arrivalListeners.delete(listener);
    },
    close: closeOnce(async () => {
      unfollow();
      arrivalListeners.clear();
    }),
  };
}

/** An instance that registers anew, with another address or after a restart, begins without a past. */
function keyOf({ app, id, host, port, lastDirtyTimestampMs }: ServiceInstance): string {
  return `${app}/${id} ${host}:${port} ${lastDirtyTimestampMs}`;
}

/** The one of two that is rather asked; the first of equals. */
function better(one: Endpoint | undefined, other: Endpoint): Endpoint {
  if (!one) return other;
  if (one.ejected !== other.ejected) return one.ejected ? other : one;
  if (one.ejected) return other.ejectedUntilMs < one.ejectedUntilMs ? other : one;
  if (one.outstanding !== other.outstanding) return other.outstanding < one.outstanding ? other : one;
  return other.isNear && !one.isNear ? other : one;
}

/** Says why no instance can be asked: none is registered, none is up, or none serves the schema. */
function absence(subgraph: string, registry: RegistryView): string {
  const registered = registry.instances.filter(instance => subgraphNameOf(instance) === subgraph);
  if (registered.length === 0) return `No instance of the subgraph '${subgraph}' is registered`;
  if (registered.some(takesRequests))
    return `No instance of the subgraph '${subgraph}' serves the schema that the graph was composed with`;
  const counts = new Map<string, number>();
  for (const { status, addressFault } of registered) {
    const state = addressFault === undefined ? status : 'with an address that is not allowed';
    counts.set(state, (counts.get(state) ?? 0) + 1);
  }
  const states = [...counts]
    .sort(([one], [other]) => one.localeCompare(other))
    .map(([state, count]) => `${count} ${state}`);
  return `No instance of the subgraph '${subgraph}' is up: ${states.join(', ')}`;
}

function observe(metrics: Registry, all: () => { subgraph: string; known: readonly Known[] }[]): void {
  new Gauge({
    name: 'gateway_subgraph_instances',
    help: 'Instances of a subgraph that the registry names as UP: in use, or ejected for their failures.',
    labelNames: ['subgraph', 'state'],
    registers: [metrics],
    collect() {
      this.reset();
      for (const { subgraph, known } of all()) {
        const ejected = known.filter(({ endpoint }) => endpoint.ejected).length;
        this.set({ subgraph, state: 'in_use' }, known.length - ejected);
        this.set({ subgraph, state: 'ejected' }, ejected);
      }
    },
  });
}
