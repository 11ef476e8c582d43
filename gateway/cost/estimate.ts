import {
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLField,
  type GraphQLNamedType,
  type GraphQLOutputType,
  type GraphQLSchema,
  getArgumentValues,
  getNamedType,
  getNullableType,
  isInterfaceType,
  isListType,
  isObjectType,
  Kind,
  type OperationDefinitionNode,
  type SelectionSetNode,
} from 'graphql';
import { isIncluded } from '../execution/conditions.ts';
import { type Fragments, fragmentsOf } from '../execution/fragments.ts';
import type { ListSize, Weights } from './weights.ts';

type Values = Readonly<Record<string, unknown>>;

/** Estimates the cost of an operation for values of its variables. */
export type Estimate = (variables: Values) => number;

interface EstimateOptions {
  readonly schema: GraphQLSchema;
  readonly weights: Weights;
  /** Items of a list of which nothing says how long it is. */
  readonly defaultListSize: number;
}

/** Cost of each field of a mutation, besides what it returns; as Apollo Router has it. */
export const mutationCost = 10;

/**
 * Compiles the estimate of an operation, as IBM's specification has it: an object costs 1, a leaf nothing, unless `@cost` says
 * otherwise; a list costs as much as the items that it may have, by `@listSize`.
 *
 * @see https://ibm.github.io/graphql-specs/cost-spec.html
 */
export function compileEstimate(
  options: EstimateOptions,
  document: DocumentNode,
  operation: OperationDefinitionNode,
): Estimate {
  const fragments = fragmentsOf(document);
  const root = options.schema.getRootType(operation.operation) as GraphQLNamedType;
  const estimate = new Compiler(options, fragments).set(operation.selectionSet, root, noSizes);
  // A schema may have weights below 0.
  return variables => Math.max(0, estimate(variables));
}

/** Numbers of items of the fields of an object, by the fields' names. */
type Sizes = (variables: Values, field: string) => number | undefined;

const noSizes: Sizes = () => undefined;

class Compiler {
  readonly #options: EstimateOptions;
  readonly #fragments: Fragments;
  readonly #path = new Set<string>();

  constructor(options: EstimateOptions, fragments: Fragments) {
    this.#options = options;
    this.#fragments = fragments;
  }

  set({ selections }: SelectionSetNode, type: GraphQLNamedType, sizes: Sizes): Estimate {
    const parts = selections.flatMap(selection => {
      const part =
        selection.kind === Kind.FIELD
          ? this.#field(selection, type, sizes)
          : this.#fragment(
              selection.kind === Kind.INLINE_FRAGMENT ? selection : this.#fragments.get(selection.name.value),
              type,
              sizes,
            );
      if (!part) return [];
      if (!selection.directives?.length) return [part];
      return [(variables: Values) => (isIncluded(selection, variables) ? part(variables) : 0)];
    });
    return variables => parts.reduce((sum, part) => sum + part(variables), 0);
  }

  #fragment(
    fragment:
      | (Pick<FragmentDefinitionNode, 'selectionSet'> & {
          readonly typeCondition?: FragmentDefinitionNode['typeCondition'] | undefined;
          readonly name?: FragmentDefinitionNode['name'];
        })
      | undefined,
    type: GraphQLNamedType,
    sizes: Sizes,
  ): Estimate | undefined {
    if (!fragment) return undefined;
    const name = fragment.name?.value;
    // One that spreads itself is not valid.
    if (name !== undefined && this.#path.has(name)) return undefined;
    if (name !== undefined) this.#path.add(name);
    const condition = fragment.typeCondition?.name.value;
    const on = condition === undefined ? type : (this.#options.schema.getType(condition) ?? type);
    const estimate = this.set(fragment.selectionSet, on, sizes);
    if (name !== undefined) this.#path.delete(name);
    return estimate;
  }

  #field(node: FieldNode, parent: GraphQLNamedType, sizes: Sizes): Estimate | undefined {
    const { weights } = this.#options;
    const name = node.name.value;
    const field = isObjectType(parent) || isInterfaceType(parent) ? parent.getFields()[name] : undefined;
    if (!field) return undefined;
    const type = getNamedType(field.type);
    const weight = weights.weightOf(parent, name, type);
    const size = weights.listSizeOf(parent.name, name);
    const countOf = (variables: Values) => sizeBy(field, node, size, variables);
    const below = size?.sizedFields;
    const belowSizes: Sizes = below
      ? (variables, each) => (below.includes(each) ? countOf(variables) : undefined)
      : noSizes;
    const children = node.selectionSet ? this.set(node.selectionSet, type, belowSizes) : undefined;
    const own = weights.argumentsCost(parent, node);
    const fixed = parent === this.#options.schema.getMutationType() ? own + mutationCost : own;
    const isList = isListIn(field.type);
    return variables => {
      const items = isList ? this.#itemsOf(variables, name, sizes, below ? undefined : countOf) : 1;
      return fixed + items * (weight + (children?.(variables) ?? 0));
    };
  }

  #itemsOf(
    variables: Values,
    field: string,
    sizes: Sizes,
    own: ((variables: Values) => number | undefined) | undefined,
  ) {
    return own?.(variables) ?? sizes(variables, field) ?? this.#options.defaultListSize;
  }
}

/** Number of items that the arguments of a field ask for, or that it is assumed to have. */
function sizeBy(
  field: GraphQLField<unknown, unknown>,
  node: FieldNode,
  size: ListSize | undefined,
  variables: Values,
): number | undefined {
  if (!size) return undefined;
  const { slicingArguments, assumedSize } = size;
  if (slicingArguments?.length) {
    const given = getArgumentValues(field, node, variables);
    const counts = slicingArguments.flatMap(path => {
      let value: unknown = given;
      for (const key of path.split('.')) value = (value as Record<string, unknown> | undefined)?.[key];
      return typeof value === 'number' ? [Math.max(0, value)] : [];
    });
    if (counts.length > 0) return Math.max(...counts);
  }
  return assumedSize ?? undefined;
}

function isListIn(type: GraphQLOutputType): boolean {
  return isListType(getNullableType(type));
}
