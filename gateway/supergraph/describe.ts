import {
  isObjectType,
  Kind,
  type ObjectTypeDefinitionNode,
  type ObjectTypeExtensionNode,
  parse,
} from 'graphql';
import { hashOfSdl } from '../../platform/graphql/sdl.ts';
import type { RegistryView } from '../../platform/registry/follower.ts';
import type { ServiceInstance } from '../../platform/registry/instance.ts';
import type { Subgraph } from './composition/compose.ts';
import type { Graph } from './graph/graph.ts';
import { instancesBySubgraph } from './sdl/subgraph-instances.ts';
import type { ServedGraph } from './served-graph.ts';
import { describeFaults, servedOf } from './state.ts';

/** Description of one subgraph in `/actuator/supergraph`. */
interface SubgraphDescription {
  readonly name: string;
  readonly hash: string;
  /** Instances that take requests, and how many of them serve the version in the graph. */
  readonly instances: { readonly up: number; readonly serving: number };
  /** Versions that get no traffic because the graph does not compose with them. */
  readonly heldBack: readonly string[];
  /** Fields that clients get from it, such as `Product.name`. */
  readonly contributes: readonly string[];
  readonly sdl: string;
}

/** A version that waits for an operator. */
interface AwaitedApproval {
  readonly subgraph: string;
  /** Empty when it is the subgraph's leaving that waits. */
  readonly hash: string;
  /** Hash of its SDL, which the gateway has made itself; an approval names it. */
  readonly sdlHash: string;
  /** Applications of the instances that serve it. */
  readonly applications: readonly string[];
  /** What it would change. */
  readonly reasons: readonly string[];
}

/** Answer of `/actuator/supergraph`. */
export interface SupergraphDescription {
  readonly phase: ServedGraph['state']['phase'];
  readonly launch?: number;
  readonly since?: string;
  readonly subgraphs: readonly SubgraphDescription[];
  /** Subgraphs in the graph that have no instance: their fields answer null. */
  readonly absent: readonly string[];
  readonly faults: readonly string[];
  /** Versions that an operator may approve. */
  readonly awaitingApproval: readonly AwaitedApproval[];
  /** Services in the registry that serve no subgraph, and why that is thought. */
  readonly ignored: readonly { readonly service: string; readonly message: string }[];
}

/** Describes the graph for operators. */
export function describeSupergraph(served: ServedGraph, registry: RegistryView): SupergraphDescription {
  const { state, faults, graph } = served;
  const launch = servedOf(state)?.launch;
  const instancesByName = instancesBySubgraph(registry);
  const subgraphs = graph?.subgraphs ?? [];
  return {
    phase: state.phase,
    ...(launch ? { launch: launch.id, since: launch.at } : {}),
    subgraphs: subgraphs.map(subgraph => {
      const { name, hash, sdl } = subgraph;
      const instances = instancesByName.get(name) ?? [];
      return {
        name,
        hash,
        instances: {
          up: instances.length,
          serving: instances.filter(instance => served.versionOf(instance) === hash).length,
        },
        heldBack: faults.heldBack.filter(held => held.subgraph === name).map(held => held.hash),
        contributes: contributionsOf(subgraph, graph),
        sdl,
      };
    }),
    absent: subgraphs.map(({ name }) => name).filter(name => !instancesByName.has(name)),
    faults: describeFaults(faults),
    awaitingApproval: faults.heldBack
      .filter(({ because }) => because === 'approval')
      .map(({ subgraph, hash, sdl, faults: reasons }) => ({
        subgraph,
        hash,
        sdlHash: hashOfSdl(sdl),
        applications: applicationsAt(instancesByName.get(subgraph) ?? [], hash, served),
        reasons: reasons.map(({ message }) => message),
      })),
    ignored: faults.ignored,
  };
}

function applicationsAt(
  instances: readonly ServiceInstance[],
  hash: string,
  { versionOf }: Pick<ServedGraph, 'versionOf'>,
): string[] {
  return [
    ...new Set(instances.filter(instance => versionOf(instance) === hash).map(({ app }) => app)),
  ].sort();
}

const contributionsBySdl = new WeakMap<Subgraph, readonly string[]>();

/** The fields in a subgraph's SDL that clients see. */
function contributionsOf(subgraph: Subgraph, graph: Graph | undefined): readonly string[] {
  const known = contributionsBySdl.get(subgraph);
  if (known || !graph) return known ?? [];
  const fields = parse(subgraph.sdl).definitions.flatMap(definition => {
    const isObject =
      definition.kind === Kind.OBJECT_TYPE_DEFINITION || definition.kind === Kind.OBJECT_TYPE_EXTENSION;
    return isObject ? visibleFields(definition, graph.schema) : [];
  });
  contributionsBySdl.set(subgraph, fields);
  return fields;
}

function visibleFields(
  { name, fields = [] }: ObjectTypeDefinitionNode | ObjectTypeExtensionNode,
  schema: Graph['schema'],
): string[] {
  const type = schema.getType(name.value);
  if (!isObjectType(type)) return [];
  const visible = type.getFields();
  return fields
    .filter(field => visible[field.name.value] !== undefined)
    .map(field => `${name.value}.${field.name.value}`);
}
