import {
  type DirectiveNode,
  type DocumentNode,
  type GraphQLSchema,
  isInterfaceType,
  isObjectType,
  Kind,
  parse,
  visit,
} from 'graphql';

const prefix = 'portico_own__';

/** Names of the fields that some `@requires` asks for with arguments. */
export type FieldsRequiredWithArguments = ReadonlySet<string>;

/** Reads them from the supergraph, which has each `@requires` as an argument of `@join__field`. */
export function fieldsRequiredWithArguments(supergraph: GraphQLSchema): FieldsRequiredWithArguments {
  const names = new Set<string>();
  for (const type of Object.values(supergraph.getTypeMap())) {
    if (!isObjectType(type) && !isInterfaceType(type)) continue;
    for (const { astNode } of Object.values(type.getFields()))
      for (const directive of astNode?.directives ?? []) collect(directive, names);
  }
  return names;
}

function collect(directive: DirectiveNode, names: Set<string>): void {
  for (const { name, value } of directive.arguments ?? []) {
    if (name.value !== 'requires' || value.kind !== Kind.STRING) continue;
    visit(parse(`{ ${value.value} }`), {
      Field(field) {
        if (field.arguments?.length) names.add(field.name.value);
      },
    });
  }
}

/**
 * Gives the client's fields names of their own where an `@requires` may ask for the same field with other arguments: the
 * planner would let one have the value of the other.
 */
export function separateArguments(document: DocumentNode, names: FieldsRequiredWithArguments): DocumentNode {
  if (names.size === 0) return document;
  return visit(document, {
    Field(field) {
      if (!names.has(field.name.value)) return undefined;
      const value = ownNameOf((field.alias ?? field.name).value);
      return { ...field, alias: { kind: Kind.NAME, value } };
    },
  });
}

/** Name of a separated field in the tree of answers. */
export function ownNameOf(responseName: string): string {
  return prefix + responseName;
}

/** The name that the client gave to a field of the tree. */
export function clientNameOf(key: string | number): string | number {
  return typeof key === 'string' && key.startsWith(prefix) ? key.slice(prefix.length) : key;
}
