import {
  type ArgumentNode,
  type DocumentNode,
  type FieldNode,
  type GraphQLNamedType,
  type GraphQLObjectType,
  type GraphQLSchema,
  GraphQLString,
  getNamedType,
  getNullableType,
  isInterfaceType,
  isListType,
  isObjectType,
  isUnionType,
  Kind,
  type OperationDefinitionNode,
  type SelectionNode,
  type SelectionSetNode,
  type VariableDefinitionNode,
  valueFromAST,
  visit,
} from 'graphql';
import { fragmentsOf } from '../execution/fragments.ts';
import type { SubgraphEvent } from './subscription-plan.ts';

/** Name of the argument by which a subscription goes on after an event, and of the variable that we give it. */
const afterArgument = 'after';
export const afterVariable = 'portico_after';
const cursorField = 'cursor';
const cursorAlias = 'portico_cursor';

/** Resumption of a subscription where it was left. */
export interface Resumption {
  /** The client's document, with each event's cursor asked for, and where to begin as a variable of ours. */
  readonly document: DocumentNode;
  /** The variables but for the one that only says where to begin. */
  othersOf(variables: Readonly<Record<string, unknown>>): Record<string, unknown>;
  /** The cursor that the client wants to begin after; undefined when it wants what comes from now on. */
  startOf(variables: Readonly<Record<string, unknown>>): string | undefined;
  /** The cursor of an event; undefined when the event has failed at the subgraph. */
  cursorOf(event: SubgraphEvent): string | undefined;
}

/**
 * Finds how a subscription can be resumed; undefined when it cannot: its field has an argument `after: String`, and its event a field
 * `cursor: String!`, as pages of Relay connections have; of a union each member. Undefined for any other subscription.
 */
export function resumptionOf(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
): Resumption | undefined {
  const fields = rootFields(document, operation, { evenConditional: false });
  const all = rootFields(document, operation, { evenConditional: true });
  const [field] = fields;
  if (!field || fields.length < all.length) return undefined;
  const cursors = cursorsOf(schema, field.name.value);
  if (!cursors) return undefined;
  const responseKey = (field.alias ?? field.name).value;
  const after = field.arguments?.find(({ name }) => name.value === afterArgument);
  const resumable: DocumentNode = {
    ...document,
    definitions: [
      {
        ...operation,
        variableDefinitions: [...(operation.variableDefinitions ?? []), afterVariableDefinition],
        selectionSet: selectionSetOf(fields.map(each => withCursor(each, cursors))),
      },
      ...document.definitions.filter(({ kind }) => kind === Kind.FRAGMENT_DEFINITION),
    ],
  };
  const used = variablesOf(resumable);
  return {
    document: resumable,
    othersOf: variables => Object.fromEntries(Object.entries(variables).filter(([name]) => used.has(name))),
    startOf(variables) {
      const value = after && valueFromAST(after.value, GraphQLString, { ...variables });
      return typeof value === 'string' ? value : undefined;
    },
    cursorOf({ data }) {
      const value = (data?.[responseKey] as Record<string, unknown> | null | undefined)?.[cursorAlias];
      return typeof value === 'string' ? value : undefined;
    },
  };
}

/** Tells whether the subscription says where it begins. */
export function beginsAfter(document: DocumentNode, operation: OperationDefinitionNode): boolean {
  return rootFields(document, operation, { evenConditional: true }).some(field =>
    field.arguments?.some(({ name }) => name.value === afterArgument),
  );
}

/** Finds the selections of the cursor of each event of a subscription; undefined when it can't be resumed. */
function cursorsOf(schema: GraphQLSchema, fieldName: string): readonly SelectionNode[] | undefined {
  const field = schema.getSubscriptionType()?.getFields()[fieldName];
  if (!field?.args.some(({ name, type }) => name === afterArgument && type === GraphQLString))
    return undefined;
  const event = getNamedType(field.type);
  if (isListType(getNullableType(field.type))) return undefined;
  if (isUnionType(event))
    return event.getTypes().every(hasCursor) ? event.getTypes().map(cursorOfMember) : undefined;
  return hasCursor(event) ? [cursorNode] : undefined;
}

function hasCursor(event: GraphQLNamedType): boolean {
  if (!isObjectType(event) && !isInterfaceType(event)) return false;
  const cursor = event.getFields()[cursorField];
  return cursor !== undefined && String(cursor.type) === 'String!' && cursor.args.length === 0;
}

/**
 * The one field of the subscription, in all its parts. Directives of the field itself go with it; those of a fragment
 * around it decide whether it is there at all.
 */
function rootFields(
  document: DocumentNode,
  { selectionSet }: OperationDefinitionNode,
  { evenConditional }: { readonly evenConditional: boolean },
): FieldNode[] {
  const fragments = fragmentsOf(document);

  const collect = (selections: readonly SelectionNode[]): FieldNode[] =>
    selections.flatMap(selection => {
      if (selection.kind === Kind.FIELD) return [selection];
      if (selection.directives?.length && !evenConditional) return [];
      const inner = selection.kind === Kind.INLINE_FRAGMENT ? selection : fragments.get(selection.name.value);
      return collect(inner?.selectionSet.selections ?? []);
    });
  return collect(selectionSet.selections);
}

function variablesOf(document: DocumentNode): ReadonlySet<string> {
  const names = new Set<string>();
  visit(document, {
    // What is defined is not yet used.
    VariableDefinition: () => false,
    Variable: ({ name }) => void names.add(name.value),
  });
  return names;
}

function withCursor(field: FieldNode, cursors: readonly SelectionNode[]): FieldNode {
  const others = (field.arguments ?? []).filter(({ name }) => name.value !== afterArgument);
  return {
    ...field,
    arguments: [...others, afterArgumentNode],
    selectionSet: selectionSetOf([...(field.selectionSet?.selections ?? []), ...cursors]),
  };
}

function selectionSetOf(selections: readonly SelectionNode[]): SelectionSetNode {
  return { kind: Kind.SELECTION_SET, selections };
}

const nameOf = (value: string) => ({ kind: Kind.NAME, value }) as const;
const variableNode = { kind: Kind.VARIABLE, name: nameOf(afterVariable) } as const;
const afterArgumentNode: ArgumentNode = {
  kind: Kind.ARGUMENT,
  name: nameOf(afterArgument),
  value: variableNode,
};
const afterVariableDefinition: VariableDefinitionNode = {
  kind: Kind.VARIABLE_DEFINITION,
  variable: variableNode,
  type: { kind: Kind.NAMED_TYPE, name: nameOf('String') },
};
const cursorNode: FieldNode = {
  kind: Kind.FIELD,
  alias: nameOf(cursorAlias),
  name: nameOf(cursorField),
};

function cursorOfMember({ name }: GraphQLObjectType): SelectionNode {
  return {
    kind: Kind.INLINE_FRAGMENT,
    typeCondition: { kind: Kind.NAMED_TYPE, name: nameOf(name) },
    selectionSet: selectionSetOf([cursorNode]),
  };
}
