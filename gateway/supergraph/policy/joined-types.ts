import {
  type ConstDirectiveNode,
  type DefinitionNode,
  Kind,
  type ObjectTypeDefinitionNode,
  parse,
  valueFromASTUntyped,
} from 'graphql';
import { LRUCache } from 'lru-cache';

/** A directive with its arguments. */
export interface JoinDirective {
  readonly args: Readonly<Record<string, unknown>>;
}

/** A type of a supergraph, with what each subgraph has of it. */
export interface JoinedType {
  readonly name: string;
  readonly interfaces: readonly string[];
  /** `@join__type`: a subgraph that has the type, and one of its keys. */
  readonly joins: readonly JoinDirective[];
  /** Directives that say which subgraph has a field, a value of an enum or a member of a union, by its name. */
  readonly fields: ReadonlyMap<string, readonly JoinDirective[]>;
}

/** Types of a supergraph, and the subgraphs that they are of. */
export interface JoinedTypes {
  readonly byName: ReadonlyMap<string, JoinedType>;
  /** Name of the subgraph that a value of `join__Graph` stands for. */
  subgraphOf(graph: string): string;
  /** Names in the `@provides` of a graph, at any depth. */
  providedBy(graph: string): ReadonlySet<string>;
}

/** The supergraph that is served is asked about at each change of the registry, and is large. */
const typesBySdl = new LRUCache<string, JoinedTypes>({ max: 3 });

/** Reads the types of a supergraph. @see https://specs.apollo.dev/join/v0.5 */
export function readJoinedTypes(supergraphSdl: string): JoinedTypes {
  const types = typesBySdl.get(supergraphSdl) ?? parseTypes(supergraphSdl);
  typesBySdl.set(supergraphSdl, types);
  return types;
}

function parseTypes(supergraphSdl: string): JoinedTypes {
  const { definitions } = parse(supergraphSdl, { noLocation: true });
  const names = graphNamesIn(definitions);
  const byName = new Map(definitions.flatMap(readType).map(type => [type.name, type]));
  const provided = providedNamesIn(byName.values());
  return {
    byName,
    subgraphOf: graph => names.get(graph) ?? graph,
    providedBy: graph => provided.get(graph) ?? new Set(),
  };
}

function providedNamesIn(types: Iterable<JoinedType>): ReadonlyMap<string, Set<string>> {
  const namesByGraph = new Map<string, Set<string>>();
  for (const { fields } of types)
    for (const { args } of [...fields.values()].flat()) {
      if (args['provides'] === undefined) continue;
      const graph = textIn(args, 'graph');
      const names = namesByGraph.get(graph) ?? new Set();
      for (const [name] of textIn(args, 'provides').matchAll(/\w+/g)) names.add(name);
      namesByGraph.set(graph, names);
    }
  return namesByGraph;
}

/** `enum join__Graph { STOCK @join__graph(name: "stock") }`. */
function graphNamesIn(definitions: readonly DefinitionNode[]): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  for (const definition of definitions)
    if (definition.kind === Kind.ENUM_TYPE_DEFINITION && definition.name.value === 'join__Graph')
      for (const value of definition.values ?? []) {
        const [graph] = directivesOf(value.directives, 'join__graph');
        if (graph) names.set(value.name.value, String(graph.args['name']));
      }
  return names;
}

function readType(definition: DefinitionNode): JoinedType[] {
  switch (definition.kind) {
    case Kind.OBJECT_TYPE_DEFINITION:
    case Kind.INTERFACE_TYPE_DEFINITION:
    case Kind.INPUT_OBJECT_TYPE_DEFINITION:
      return [joinedType(definition, membersOf(definition.fields, 'join__field'))];
    case Kind.ENUM_TYPE_DEFINITION:
      return [joinedType(definition, membersOf(definition.values, 'join__enumValue'))];
    case Kind.UNION_TYPE_DEFINITION: {
      const members = directivesOf(definition.directives, 'join__unionMember');
      const names = (definition.types ?? []).map(({ name }) => name.value);
      const joinsOf = (name: string) => members.filter(({ args }) => args['member'] === name);
      return [joinedType(definition, new Map(names.map(name => [name, joinsOf(name)])))];
    }
    default:
      return [];
  }
}

function joinedType(
  definition: Pick<ObjectTypeDefinitionNode, 'name' | 'directives'> &
    Partial<Pick<ObjectTypeDefinitionNode, 'interfaces'>>,
  fields: JoinedType['fields'],
): JoinedType {
  return {
    name: definition.name.value,
    interfaces: (definition.interfaces ?? []).map(({ name }) => name.value),
    joins: directivesOf(definition.directives, 'join__type'),
    fields,
  };
}

function membersOf(
  nodes: readonly Pick<ObjectTypeDefinitionNode, 'name' | 'directives'>[] | undefined,
  directive: string,
): JoinedType['fields'] {
  return new Map((nodes ?? []).map(node => [node.name.value, directivesOf(node.directives, directive)]));
}

function directivesOf(nodes: readonly ConstDirectiveNode[] | undefined, name: string): JoinDirective[] {
  return (nodes ?? [])
    .filter(node => node.name.value === name)
    .map(node => ({
      args: Object.fromEntries(
        (node.arguments ?? []).map(({ name: { value: key }, value }) => [key, valueFromASTUntyped(value)]),
      ),
    }));
}

/** Text of an argument; empty when it is not given. */
export function textIn(args: Readonly<Record<string, unknown>>, name: string): string {
  const value = args[name];
  return typeof value === 'string' ? value : '';
}
