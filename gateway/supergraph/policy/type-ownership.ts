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
 * have the fields of one key that its owner has in a key too, and `@external` ones that it does not provide. A supergraph is asked, since it says who defines
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
    return [...definitionsBySubgraph(types, type, owners)]
      .filter(([subgraph]) => !owners.includes(subgraph))
      .map(([subgraph, fields]) => ({ subgraph, type: name, fields }));
  });
}

function definitionsBySubgraph(
  types: JoinedTypes,
  type: JoinedType,
  owners: readonly string[],
): ReadonlyMap<string, string[]> {
  const ownersKeys = new Set(
    type.joins
      .filter(({ args }) => owners.includes(types.subgraphOf(textIn(args, 'graph'))))
      .flatMap(({ args }) => fieldsOfKey(textIn(args, 'key'))),
  );
  const fieldsBySubgraph = new Map<string, string[]>();
  for (const field of type.fields.keys())
    for (const graph of definers(types, type, field)) {
      const isKey = ownersKeys.size === 0 || ownersKeys.has(field);
      const isReference = isKey && referencesOf(type, graph).has(field);
      if (isReference && !overrides(type, graph, field)) continue;
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

/** True if a graph takes a field over from another one. */
function overrides({ fields }: JoinedType, graph: string, field: string): boolean {
  return (fields.get(field) ?? []).some(
    ({ args }) => args['graph'] === graph && args['override'] !== undefined,
  );
}

/**
 * Fields by which a graph refers to a type: those of the one key that it resolves, or of those that it does not. With a key that it
 * resolves it would be asked for the fields of every other one: then they are definitions.
 */
function referencesOf({ joins }: JoinedType, graph: string): ReadonlySet<string> {
  const keys = joins.filter(({ args }) => args['graph'] === graph && args['key'] !== undefined);
  const resolved = keys.filter(({ args }) => args['resolvable'] !== false);
  if (resolved.length > 1) return new Set();
  const references = resolved.length === 1 ? resolved : keys;
  return new Set(references.flatMap(({ args }) => fieldsOfKey(textIn(args, 'key'))));
}

function fieldsOfKey(key: string): string[] {
  if (key === '') return [];
  const [operation] = parse(`{ ${key} }`, { noLocation: true }).definitions;
  return operation?.kind === Kind.OPERATION_DEFINITION ? fieldNames(operation.selectionSet.selections) : [];
}

function fieldNames(selections: readonly SelectionNode[]): string[] {
  return selections.flatMap(selection => {
    if (selection.kind === Kind.FIELD) return [selection.name.value];
    return selection.kind === Kind.INLINE_FRAGMENT ? fieldNames(selection.selectionSet.selections) : [];
  });
}
