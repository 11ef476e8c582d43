import {
  type ASTVisitor,
  type DirectiveNode,
  type FragmentDefinitionNode,
  GraphQLError,
  Kind,
  OperationTypeNode,
  type SelectionSetNode,
  type ValidationContext,
} from 'graphql';
import { argumentOf } from '../execution/directives.ts';

/**
 * Refuses `@defer` where it means nothing: with a label that is not a text of its own, on the fields of a mutation that run
 * one after the other, and in a subscription, each of whose events comes as one.
 *
 * @see https://github.com/graphql/graphql-spec/blob/main/rfcs/DeferStream.md
 */
export function deferRule(context: ValidationContext): ASTVisitor {
  const labels = new Map<string, DirectiveNode>();
  return {
    Directive(directive) {
      if (directive.name.value !== 'defer') return;
      const value = argumentOf(directive, 'label');
      if (!value || value.kind === Kind.NULL) return;
      if (value.kind !== Kind.STRING) {
        refuse(context, 'The label of @defer must be a text, and no variable', [directive]);
        return;
      }
      const same = labels.get(value.value);
      if (same) refuse(context, `The label '${value.value}' of @defer is used twice`, [same, directive]);
      labels.set(value.value, directive);
    },
    OperationDefinition({ operation, selectionSet }) {
      if (operation === OperationTypeNode.QUERY) return;
      const isSubscription = operation === OperationTypeNode.SUBSCRIPTION;
      for (const directive of new Defers(context).in(selectionSet, isSubscription))
        refuse(
          context,
          isSubscription
            ? '@defer is not supported in subscriptions'
            : '@defer is not supported on the fields of a mutation itself',
          [directive],
        );
    },
  };
}

function refuse(context: ValidationContext, message: string, nodes: readonly DirectiveNode[]): void {
  context.reportError(new GraphQLError(message, { nodes }));
}

/** Finds `@defer` in an operation, each once. */
class Defers {
  readonly #context: ValidationContext;
  readonly #visited = new Set<string>();

  constructor(context: ValidationContext) {
    this.#context = context;
  }

  /** @param deep also below fields */
  *in({ selections }: SelectionSetNode, deep: boolean): Generator<DirectiveNode> {
    for (const selection of selections) {
      if (selection.kind === Kind.FIELD) {
        if (deep && selection.selectionSet) yield* this.in(selection.selectionSet, deep);
        continue;
      }
      for (const directive of selection.directives ?? []) if (isDeferring(directive)) yield directive;
      const fragment = selection.kind === Kind.INLINE_FRAGMENT ? selection : this.#find(selection.name.value);
      if (fragment) yield* this.in(fragment.selectionSet, deep);
    }
  }

  #find(name: string): FragmentDefinitionNode | undefined {
    if (this.#visited.has(name)) return undefined;
    this.#visited.add(name);
    return this.#context.getFragment(name) ?? undefined;
  }
}

/** Tells whether a directive defers, as far as that can be said without variables. */
function isDeferring(directive: DirectiveNode): boolean {
  if (directive.name.value !== 'defer') return false;
  const condition = argumentOf(directive, 'if');
  return !condition || (condition.kind === Kind.BOOLEAN && condition.value);
}
