import {
  type FieldNode,
  type FragmentDefinitionNode,
  GraphQLIncludeDirective,
  type GraphQLObjectType,
  type GraphQLOutputType,
  type GraphQLSchema,
  GraphQLSkipDirective,
  getDirectiveValues,
  isAbstractType,
  Kind,
  type SelectionNode,
  type SelectionSetNode,
  typeFromAST,
} from 'graphql';

/** A field that the client asked for on one object type. */
export interface ShapeField {
  /** Alias or name. */
  readonly responseName: string;
  readonly fieldName: string;
  /** Undefined for introspection, which every type has. */
  readonly type: GraphQLOutputType | undefined;
  /** Its selections in the operation. */
  readonly nodes: readonly FieldNode[];
  readonly selection: Selection;
}

interface ShapeContext {
  readonly schema: GraphQLSchema;
  readonly fragments: ReadonlyMap<string, FragmentDefinitionNode>;
  readonly variables: Readonly<Record<string, unknown>>;
}

/**
 * A selection of the client's operation: for each object type the fields that apply, in the order in which the answer
 * has them. Fields are collected once for each type:
 * https://spec.graphql.org/October2021/#CollectFields()
 */
export class Selection {
  readonly #context: ShapeContext;
  readonly #sets: readonly SelectionSetNode[];
  readonly #fieldsByType = new Map<GraphQLObjectType, readonly ShapeField[]>();

  constructor(context: ShapeContext, sets: readonly SelectionSetNode[]) {
    this.#context = context;
    this.#sets = sets;
  }

  fieldsOf(type: GraphQLObjectType): readonly ShapeField[] {
    const known = this.#fieldsByType.get(type);
    if (known) return known;
    const nodesByName = new Map<string, FieldNode[]>();
    const visited = new Set<string>();
    for (const set of this.#sets) this.#collect(set, type, nodesByName, visited);
    const fields = [...nodesByName].map(([name, nodes]) => this.#fieldOf(type, name, nodes));
    this.#fieldsByType.set(type, fields);
    return fields;
  }

  #fieldOf(type: GraphQLObjectType, responseName: string, nodes: readonly FieldNode[]): ShapeField {
    const fieldName = nodes[0]?.name.value ?? responseName;
    const sets = nodes.flatMap(({ selectionSet }) => (selectionSet ? [selectionSet] : []));
    return {
      responseName,
      fieldName,
      type: type.getFields()[fieldName]?.type,
      nodes,
      selection: new Selection(this.#context, sets),
    };
  }

  #collect(
    set: SelectionSetNode,
    type: GraphQLObjectType,
    nodesByName: Map<string, FieldNode[]>,
    visited: Set<string>,
  ): void {
    for (const selection of set.selections) {
      if (!this.#isIncluded(selection)) continue;
      if (selection.kind === Kind.FIELD) {
        const name = (selection.alias ?? selection.name).value;
        const nodes = nodesByName.get(name);
        if (nodes) nodes.push(selection);
        else nodesByName.set(name, [selection]);
        continue;
      }
      const fragment = this.#fragmentOf(selection, visited);
      if (fragment && this.#applies(fragment.typeCondition, type))
        this.#collect(fragment.selectionSet, type, nodesByName, visited);
    }
  }

  #fragmentOf(selection: Exclude<SelectionNode, FieldNode>, visited: Set<string>) {
    if (selection.kind === Kind.INLINE_FRAGMENT) return selection;
    const name = selection.name.value;
    if (visited.has(name)) return undefined;
    visited.add(name);
    return this.#context.fragments.get(name);
  }

  #isIncluded(selection: SelectionNode): boolean {
    const { variables } = this.#context;
    if (getDirectiveValues(GraphQLSkipDirective, selection, variables)?.['if'] === true) return false;
    return getDirectiveValues(GraphQLIncludeDirective, selection, variables)?.['if'] !== false;
  }

  #applies(condition: FragmentDefinitionNode['typeCondition'] | undefined, type: GraphQLObjectType): boolean {
    if (!condition) return true;
    const conditional = typeFromAST(this.#context.schema, condition);
    if (conditional === type) return true;
    return isAbstractType(conditional) && this.#context.schema.isSubType(conditional, type);
  }
}
