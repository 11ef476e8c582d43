import {
  type DocumentNode,
  type FieldNode,
  GraphQLIncludeDirective,
  GraphQLSkipDirective,
  getDirectiveValues,
  Kind,
  type SelectionNode,
  type SelectionSetNode,
  visit,
} from 'graphql';

type Values = Readonly<Record<string, unknown>>;

/** Tells if `@skip` and `@include` leave a selection in. */
export function isIncluded(selection: SelectionNode, values: Values): boolean {
  if (getDirectiveValues(GraphQLSkipDirective, selection, values)?.['if'] === true) return false;
  return getDirectiveValues(GraphQLIncludeDirective, selection, values)?.['if'] !== false;
}

/** Conditions of a document: names of the variables that they go by, and if there are any at all. */
export function conditionsOf(document: DocumentNode): { names: readonly string[]; any: boolean } {
  const names = new Set<string>();
  let any = false;
  visit(document, {
    Directive({ name, arguments: given = [] }) {
      if (!isCondition(name.value)) return;
      any = true;
      for (const { value } of given) if (value.kind === Kind.VARIABLE) names.add(value.name.value);
    },
  });
  return { names: [...names], any };
}

/**
 * Decides the conditions of a document, so that the planner sees none: it fetches what an `@requires` needs under the
 * condition of the field, and the representation of the whole fetch then lacks it. Where nothing is left to select,
 * `__typename` is.
 */
export function decideConditions(document: DocumentNode, values: Values): DocumentNode {
  const decide = <Node extends SelectionNode>(node: Node): Node | null => {
    if (!isIncluded(node, values)) return null;
    const directives = node.directives?.filter(({ name }) => !isCondition(name.value)) ?? [];
    return { ...node, directives };
  };
  return visit(document, {
    Field: decide,
    InlineFragment: decide,
    FragmentSpread: decide,
    SelectionSet: { leave: keepSelected },
  });
}

/** Selects `__typename` where nothing is left to select. */
export function keepSelected(set: SelectionSetNode): SelectionSetNode | undefined {
  return set.selections.length > 0 ? undefined : { ...set, selections: [typename] };
}

function isCondition(directive: string): boolean {
  return directive === 'skip' || directive === 'include';
}

const typename: FieldNode = { kind: Kind.FIELD, name: { kind: Kind.NAME, value: '__typename' } };
