import {
  type ConstDirectiveNode,
  type DefinitionNode,
  type DocumentNode,
  type FieldDefinitionNode,
  type FieldNode,
  Kind,
  type NamedTypeNode,
  type ObjectTypeDefinitionNode,
  type OperationDefinitionNode,
  parse,
  print,
  type SelectionNode,
  type TypeNode,
  visit,
} from 'graphql';
import { argumentOf } from '../directives.ts';
import { copyNameOf } from './names.ts';

/**
 * Copies of fields that several `@requires` ask for with different arguments. The planner tells fields apart by their names
 * only, and would give each `@requires` the value of the last. Each list of arguments has a copy of the field in the
 * supergraph that is planned with; a fetch asks for the field itself, under the copy's name.
 */
export interface FieldCopies {
  /** The supergraph with the copies, which clients do not see. */
  readonly supergraphSdl: string;
  /** Copies that a field requires, by `Type.field`. */
  readonly requiredBy: ReadonlyMap<string, ReadonlySet<string>>;
}

/** A field with arguments in some `@requires`. */
interface Requirement {
  readonly type: string;
  readonly field: string;
  readonly args: string;
}

/** Adds copies to a supergraph; undefined when it needs none. */
export function copyFields(supergraphSdl: string): FieldCopies | undefined {
  if (!/requires: "[^"]*\(/.test(supergraphSdl)) return undefined;
  const document = parse(supergraphSdl, { noLocation: true });
  const types = new Types(document);
  const copies = new Map<string, string>();
  const argsByField = new Map<string, Set<string>>();
  types.eachRequires((type, _field, directive) =>
    types.eachWithArguments(type, selectionOf(directive), ({ type: owner, field, args }) => {
      const place = `${owner}.${field}`;
      argsByField.set(place, (argsByField.get(place) ?? new Set()).add(args));
    }),
  );
  for (const [place, lists] of argsByField) {
    if (lists.size < 2) continue;
    for (const args of lists)
      copies.set(`${place}(${args})`, copyNameOf(place.slice(place.indexOf('.') + 1), copies.size));
  }
  if (copies.size === 0) return undefined;
  const nameOf = ({ type, field, args }: Requirement) => copies.get(`${type}.${field}(${args})`);
  const requiredBy = new Map<string, Set<string>>();
  const changed = visit(document, {
    ObjectTypeDefinition: type => ({
      ...type,
      fields: (type.fields ?? []).flatMap(field => {
        const used = new Set<string>();
        const rewritten = rewriteRequires(types, type, field, given => {
          const name = nameOf(given);
          if (name) used.add(name);
          return name;
        });
        if (used.size > 0) requiredBy.set(`${type.name.value}.${field.name.value}`, used);
        const own = [...copies].flatMap(([key, name]) =>
          key.startsWith(`${type.name.value}.${field.name.value}(`) ? [copyOfField(field, name)] : [],
        );
        return [rewritten, ...own];
      }),
    }),
  });
  return { supergraphSdl: print(withInaccessible(changed)), requiredBy };
}

/** Types of a supergraph by their names. */
class Types {
  readonly #byName = new Map<string, ObjectTypeDefinitionNode>();

  constructor({ definitions }: DocumentNode) {
    for (const definition of definitions)
      if (definition.kind === Kind.OBJECT_TYPE_DEFINITION)
        this.#byName.set(definition.name.value, definition);
  }

  eachRequires(found: (type: string, field: string, requires: ConstDirectiveNode) => void): void {
    for (const [type, { fields = [] }] of this.#byName)
      for (const field of fields)
        for (const directive of field.directives ?? [])
          if (requiresOf(directive) !== undefined) found(type, field.name.value, directive);
  }

  /** Finds fields with arguments in a selection on a type. */
  eachWithArguments(
    type: string,
    selections: readonly SelectionNode[],
    found: (requirement: Requirement, node: FieldNode) => void,
  ): void {
    for (const selection of selections) {
      if (selection.kind === Kind.INLINE_FRAGMENT) {
        const condition = selection.typeCondition?.name.value ?? type;
        this.eachWithArguments(condition, selection.selectionSet.selections, found);
      }
      if (selection.kind !== Kind.FIELD) continue;
      const field = selection.name.value;
      if (selection.arguments?.length)
        found({ type, field, args: selection.arguments.map(print).sort().join() }, selection);
      const below = this.#byName.get(type)?.fields?.find(({ name }) => name.value === field);
      if (below && selection.selectionSet)
        this.eachWithArguments(namedType(below.type), selection.selectionSet.selections, found);
    }
  }
}

function namedType(type: TypeNode): string {
  let inner = type;
  while (inner.kind !== Kind.NAMED_TYPE) inner = inner.type;
  return (inner as NamedTypeNode).name.value;
}

/** The selection that a field requires, as text; undefined when it requires none. */
function requiresOf(directive: ConstDirectiveNode): string | undefined {
  const value = argumentOf(directive, 'requires');
  return directive.name.value === 'join__field' && value?.kind === Kind.STRING ? value.value : undefined;
}

function selectionOf(directive: ConstDirectiveNode): readonly SelectionNode[] {
  const [operation] = parse(`{ ${requiresOf(directive)} }`, { noLocation: true }).definitions;
  return (operation as OperationDefinitionNode).selectionSet.selections;
}

/** Gives the fields in an `@requires` the names of their copies. */
function rewriteRequires(
  types: Types,
  type: ObjectTypeDefinitionNode,
  field: FieldDefinitionNode,
  nameOf: (requirement: Requirement) => string | undefined,
): FieldDefinitionNode {
  const directives = (field.directives ?? []).map(directive => {
    if (requiresOf(directive) === undefined) return directive;
    const selections = selectionOf(directive);
    const names = new Map<FieldNode, string>();
    types.eachWithArguments(type.name.value, selections, (requirement, node) => {
      const name = nameOf(requirement);
      if (name) names.set(node, name);
    });
    if (names.size === 0) return directive;
    const set = { kind: Kind.SELECTION_SET, selections } as const;
    const renamed = visit(set, {
      Field: { leave: (node, _key, _parent, path) => renamedNode(node, names, set, path) },
    });
    const text = renamed.selections.map(print).join(' ');
    return {
      ...directive,
      arguments: directive.arguments?.map(argument =>
        argument.name.value === 'requires'
          ? { ...argument, value: { kind: Kind.STRING, value: text } as const }
          : argument,
      ),
    } as ConstDirectiveNode;
  });
  return { ...field, directives };
}

/** Renames a node that a visitor leaves, found in the tree as it was before its children changed. */
function renamedNode(
  node: FieldNode,
  names: ReadonlyMap<FieldNode, string>,
  root: unknown,
  path: readonly (string | number)[],
): FieldNode | undefined {
  let original = root;
  for (const key of path) original = (original as Record<string | number, unknown>)[key];
  const name = names.get(original as FieldNode);
  return name === undefined ? undefined : { ...node, name: { kind: Kind.NAME, value: name } };
}

function copyOfField(field: FieldDefinitionNode, name: string): FieldDefinitionNode {
  const { description: _, ...rest } = field;
  return {
    ...rest,
    name: { kind: Kind.NAME, value: name },
    directives: [
      ...(field.directives ?? []).filter(directive => directive.name.value === 'join__field'),
      { kind: Kind.DIRECTIVE, name: { kind: Kind.NAME, value: 'inaccessible' } },
    ],
  };
}

/** Links the feature that hides the copies, unless the supergraph has it. */
function withInaccessible(document: DocumentNode): DocumentNode {
  const isThere = document.definitions.some(
    each => each.kind === Kind.DIRECTIVE_DEFINITION && each.name.value === 'inaccessible',
  );
  if (isThere) return document;
  const [schema, directive] = parse(
    `schema @link(url: "https://specs.apollo.dev/inaccessible/v0.2", for: SECURITY) { query: Query }
     directive @inaccessible on FIELD_DEFINITION | OBJECT | INTERFACE | UNION | ARGUMENT_DEFINITION | SCALAR | ENUM | ENUM_VALUE | INPUT_OBJECT | INPUT_FIELD_DEFINITION`,
    { noLocation: true },
  ).definitions;
  const links = (schema as { directives?: readonly ConstDirectiveNode[] }).directives ?? [];
  const definitions: DefinitionNode[] = document.definitions.map(each =>
    each.kind === Kind.SCHEMA_DEFINITION
      ? { ...each, directives: [...(each.directives ?? []), ...links] }
      : each,
  );
  return { ...document, definitions: [...definitions, directive as DefinitionNode] };
}
