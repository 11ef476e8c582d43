import { Kind, parse, type SelectionNode } from 'graphql';
import { type JoinedType, type JoinedTypes, readJoinedTypes, textIn } from './joined-types.ts';
import type { LaunchRules } from './launch-rules.ts';

/** Fields of a type, values of an enum or members of a union that a subgraph defines and may not. */
export interface ForeignDefinition {
  readonly subgraph: string;
  readonly type: string;
  readonly fields: readonly string[];
}

/**
 * Finds what subgraphs define of types that are not theirs. To refer to an entity by its key defines nothing: a subgraph may
 * have the fields of one key, and `@external` ones that it does not provide. A supergraph is asked, since it says who defines
 * what, whatever names a subgraph has given to Federation's directives.
 *
 * @param ownersByType subgraphs that may define the fields of a type
 */
export function findForeignDefinitions(
  supergraphSdl: string,
  ownersByType: LaunchRules['types'],
): ForeignDefinition[] {
  const owned = Object.entries(ownersByType);
  if (owned.length === 0) return [];
  const types = readJoinedTypes(supergraphSdl);
  return owned.flatMap(([name, owners]) => {
    const type = types.byName.get(name);
    if (!type) return [];
    return [...definitionsBySubgraph(types, type)]
      .filter(([subgraph]) => !owners.includes(subgraph))
      .map(([subgraph, fields]) => ({ subgraph, type: name, fields }));
  });
}

function definitionsBySubgraph(types: JoinedTypes, type: JoinedType): ReadonlyMap<string, string[]> {
  const fieldsBySubgraph = new Map<string, string[]>();
  for (const field of type.fields.keys())
    for (const graph of definers(types, type, field)) {
      if (referencesOf(type, graph).has(field)) continue;
      const subgraph = types.subgraphOf(graph);
      fieldsBySubgraph.set(subgraph, [...(fieldsBySubgraph.get(subgraph) ?? []), field]);
    }
  return fieldsBySubgraph;
}

/** Graphs that define a field: all that have the type, unless the field says which. */
function definers(types: JoinedTypes, type: JoinedType, field: string): string[] {
  const joins = type.fields.get(field) ?? [];
  if (joins.length === 0) return [...new Set(type.joins.map(({ args }) => textIn(args, 'graph')))];
  return joins.flatMap(({ args }) => {
    if (args['graph'] === undefined) return interfaceObjectsWith(types, type, field);
    const graph = textIn(args, 'graph');
    return args['external'] === true && !types.providedBy(graph).has(field) ? [] : [graph];
  });
}

/** Graphs that give a field to all types of an interface by `@interfaceObject`, and may not have the types themselves. */
function interfaceObjectsWith(types: JoinedTypes, { interfaces }: JoinedType, field: string): string[] {
  return interfaces.flatMap(name => {
    const type = types.byName.get(name);
    if (!type?.fields.has(field)) return [];
    const objects = type.joins
      .filter(({ args }) => args['isInterfaceObject'] === true)
      .map(({ args }) => args['graph']);
    return definers(types, type, field).filter(graph => objects.includes(graph));
  });
}

/**
 * Fields by which a graph refers to a type. With two keys that it resolves, it would be asked for the fields of one by the
 * other: then they are definitions.
 */
function referencesOf({ joins }: JoinedType, graph: string): ReadonlySet<string> {
  const keys = joins.filter(({ args }) => args['graph'] === graph && args['key'] !== undefined);
  const resolved = keys.filter(({ args }) => args['resolvable'] !== false);
  if (resolved.length > 1) return new Set();
  return new Set(keys.flatMap(({ args }) => fieldsOfKey(String(args['key']))));
}

function fieldsOfKey(key: string): string[] {
  const [operation] = parse(`{ ${key} }`, { noLocation: true }).definitions;
  return operation?.kind === Kind.OPERATION_DEFINITION ? fieldNames(operation.selectionSet.selections) : [];
}

function fieldNames(selections: readonly SelectionNode[]): string[] {
  return selections.flatMap(selection => {
    if (selection.kind === Kind.FIELD) return [selection.name.value];
    return selection.kind === Kind.INLINE_FRAGMENT ? fieldNames(selection.selectionSet.selections) : [];
  });
}
