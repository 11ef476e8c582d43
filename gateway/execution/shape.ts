import {
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLInterfaceType,
  type GraphQLObjectType,
  type GraphQLOutputType,
  type GraphQLSchema,
  isAbstractType,
  isInterfaceType,
  Kind,
  type SelectionNode,
  type SelectionSetNode,
  typeFromAST,
} from 'graphql';
import { isIncluded } from './conditions.ts';
import { deferLabelOf } from './defer.ts';
import type { Fragments } from './fragments.ts';
import { type FieldsRequiredWithArguments, ownNameOf } from './required-arguments.ts';

/** A field that the client asked for on one object type. */
export interface ShapeField {
  /** Alias or name. */
  readonly responseName: string;
  /** Name in the tree of answers. */
  readonly treeName: string;
  readonly fieldName: string;
  /** Undefined for introspection, which every type has. */
  readonly type: GraphQLOutputType | undefined;
  /** True if the caller may not have it. */
  readonly isDenied: boolean;
  /** Its selections in the operation. */
  readonly nodes: readonly FieldNode[];
  readonly selection: Selection;
}

/** A fragment that comes after the object that it is on. */
export interface DeferredSelection {
  readonly label: string;
  readonly selection: Selection;
}

const noneDeferred: readonly DeferredSelection[] = [];

interface ShapeContext {
  readonly schema: GraphQLSchema;
  readonly fragments: Fragments;
  readonly variables: Readonly<Record<string, unknown>>;
  /** Fields that the plan has under names of their own. */
  readonly separated: FieldsRequiredWithArguments;
  /** Selections that the caller may not have. */
  readonly denied?: ReadonlySet<FieldNode>;
  /** True if labelled fragments with `@defer` are left out of the fields. */
  readonly defers?: boolean;
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
  readonly #deferredByType = new Map<
    GraphQLObjectType | GraphQLInterfaceType,
    readonly DeferredSelection[]
  >();

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

  /** Fragments of a type that come later. */
  deferredOf(type: GraphQLObjectType | GraphQLInterfaceType): readonly DeferredSelection[] {
    if (!this.#context.defers) return noneDeferred;
    const known = this.#deferredByType.get(type);
    if (known) return known;
    const deferred: DeferredSelection[] = [];
    for (const set of this.#sets) this.#collectDeferred(set, type, deferred);
    this.#deferredByType.set(type, deferred);
    return deferred;
  }

  /**
   * Fields of an interface when they are all that is selected, so that the object's own type need not be known;
   * undefined otherwise.
   */
  commonFieldsOf(type: GraphQLInterfaceType): readonly ShapeField[] | undefined {
    const nodesByName = new Map<string, FieldNode[]>();
    const visited = new Set<string>();
    for (const set of this.#sets) if (!this.#collect(set, type, nodesByName, visited)) return undefined;
    const fields = [...nodesByName].map(([name, nodes]) => this.#fieldOf(type, name, nodes));
    return fields.some(({ fieldName }) => fieldName === '__typename') ? undefined : fields;
  }

  #fieldOf(
    type: GraphQLObjectType | GraphQLInterfaceType,
    responseName: string,
    nodes: readonly FieldNode[],
  ): ShapeField {
    const fieldName = nodes[0]?.name.value ?? responseName;
    const { denied } = this.#context;
    const allowed = denied ? nodes.filter(node => !denied.has(node)) : nodes;
    const sets = allowed.flatMap(({ selectionSet }) => (selectionSet ? [selectionSet] : []));
    return {
      responseName,
      treeName: this.#context.separated.has(fieldName) ? ownNameOf(responseName) : responseName,
      fieldName,
      type: type.getFields()[fieldName]?.type,
      isDenied: allowed.length === 0,
      nodes: allowed,
      selection: new Selection(this.#context, sets),
    };
  }

  /** @returns false when a fragment applies to some objects of the type only */
  #collect(
    set: SelectionSetNode,
    type: GraphQLObjectType | GraphQLInterfaceType,
    nodesByName: Map<string, FieldNode[]>,
    visited: Set<string>,
  ): boolean {
    for (const selection of set.selections) {
      if (!isIncluded(selection, this.#context.variables)) continue;
      if (selection.kind === Kind.FIELD) {
        const name = (selection.alias ?? selection.name).value;
        const nodes = nodesByName.get(name);
        if (nodes) nodes.push(selection);
        else nodesByName.set(name, [selection]);
        continue;
      }
      if (this.#context.defers && deferLabelOf(selection) !== undefined) continue;
      const fragment = this.#fragmentOf(selection, visited);
      if (!fragment) continue;
      if (!this.#applies(fragment.typeCondition, type)) {
        if (isInterfaceType(type)) return false;
      } else if (!this.#collect(fragment.selectionSet, type, nodesByName, visited)) return false;
    }
    return true;
  }

  /** Fragments are inline where some are deferred. */
  #collectDeferred(
    set: SelectionSetNode,
    type: GraphQLObjectType | GraphQLInterfaceType,
    deferred: DeferredSelection[],
  ): void {
    for (const selection of set.selections) {
      if (selection.kind !== Kind.INLINE_FRAGMENT) continue;
      if (!isIncluded(selection, this.#context.variables)) continue;
      if (!this.#applies(selection.typeCondition, type)) continue;
      const label = deferLabelOf(selection);
      if (label === undefined) this.#collectDeferred(selection.selectionSet, type, deferred);
      else deferred.push({ label, selection: new Selection(this.#context, [selection.selectionSet]) });
    }
  }

  #fragmentOf(selection: Exclude<SelectionNode, FieldNode>, visited: Set<string>) {
    if (selection.kind === Kind.INLINE_FRAGMENT) return selection;
    const name = selection.name.value;
    if (visited.has(name)) return undefined;
    visited.add(name);
    return this.#context.fragments.get(name);
  }

  #applies(
    condition: FragmentDefinitionNode['typeCondition'] | undefined,
    type: GraphQLObjectType | GraphQLInterfaceType,
  ): boolean {
    if (!condition) return true;
    const conditional = typeFromAST(this.#context.schema, condition);
    if (conditional === type) return true;
    return isAbstractType(conditional) && this.#context.schema.isSubType(conditional, type);
  }
}
