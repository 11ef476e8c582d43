import {
  type ConstDirectiveNode,
  type DirectiveNode,
  type DocumentNode,
  type InlineFragmentNode,
  Kind,
  type OperationDefinitionNode,
  type SelectionNode,
  type SelectionSetNode,
  visit,
} from 'graphql';
import { argumentOf } from './directives.ts';
import { fragmentsOf } from './fragments.ts';

const directiveName = 'defer';

/** Most selections of an operation with `@defer`, with its fragments as often as they are spread. */
const maxSelections = 20_000;

/** An operation whose `@defer` fragments can be told apart. */
export interface LabelledOperation {
  /** The operation alone: fragments are written where they are spread. */
  readonly document: DocumentNode;
  readonly operation: OperationDefinitionNode;
  /** Labels that the client gave, by the labels in the document. */
  readonly clientLabels: ReadonlyMap<string, string | undefined>;
}

/** Tells whether a document has a fragment that may be deferred. */
export function hasDefer(document: DocumentNode): boolean {
  let found = false;
  visit(document, {
    Directive({ name }) {
      if (name.value === directiveName) found = true;
    },
  });
  return found;
}

/** Takes each `@defer` out of a document, or an operation, so that its answer comes as one. */
export function withoutDefer<Node extends DocumentNode | OperationDefinitionNode>(node: Node): Node {
  return visit(node, { Directive: ({ name }) => (name.value === directiveName ? null : undefined) });
}

/** Names of the variables by which fragments are deferred or not. */
export function deferVariablesOf(document: DocumentNode): string[] {
  const names = new Set<string>();
  visit(document, {
    Directive(directive) {
      const condition = argumentOf(directive, 'if');
      if (directive.name.value === directiveName && condition?.kind === Kind.VARIABLE)
        names.add(condition.name.value);
    },
  });
  return [...names];
}

/**
 * Gives each fragment that is deferred a label of its own. A fragment that is not, for the value of its `if`, loses the
 * directive. Each place that a fragment is spread at is a fragment of its own.
 *
 * @throws Error for an operation that would become too large
 */
export function labelDefers(
  document: DocumentNode,
  operation: OperationDefinitionNode,
  variables: Readonly<Record<string, unknown>>,
): LabelledOperation {
  const fragments = fragmentsOf(document);
  const clientLabels = new Map<string, string | undefined>();
  let selections = 0;

  function expandSet(set: SelectionSetNode): SelectionSetNode {
    return { ...set, selections: set.selections.flatMap(expand) };
  }

  function expand(selection: SelectionNode): SelectionNode[] {
    selections += 1;
    if (selections > maxSelections)
      throw new Error(`The operation selects more than ${maxSelections} fields and fragments`);
    if (selection.kind === Kind.FIELD) {
      const { selectionSet } = selection;
      return [selectionSet ? { ...selection, selectionSet: expandSet(selectionSet) } : selection];
    }
    const fragment = inlined(selection);
    if (!fragment) return [];
    return [
      {
        ...fragment,
        directives: (selection.directives ?? []).flatMap(labelled),
        selectionSet: expandSet(fragment.selectionSet),
      },
    ];
  }

  function inlined(selection: Exclude<SelectionNode, { kind: Kind.FIELD }>): InlineFragmentNode | undefined {
    if (selection.kind === Kind.INLINE_FRAGMENT) return selection;
    const definition = fragments.get(selection.name.value);
    if (!definition) return undefined;
    const { typeCondition, selectionSet } = definition;
    return { kind: Kind.INLINE_FRAGMENT, typeCondition, selectionSet };
  }

  function labelled(directive: DirectiveNode): DirectiveNode[] {
    if (directive.name.value !== directiveName) return [directive];
    const condition = argumentOf(directive, 'if');
    const isDeferred =
      condition?.kind === Kind.VARIABLE
        ? variables[condition.name.value] !== false
        : condition?.kind !== Kind.BOOLEAN || condition.value;
    if (!isDeferred) return [];
    const label = `defer${clientLabels.size}`;
    clientLabels.set(label, labelOf(directive));
    return [deferWith(label)];
  }

  const expanded = { ...operation, selectionSet: expandSet(operation.selectionSet) };
  return {
    document: { kind: Kind.DOCUMENT, definitions: [expanded] },
    operation: expanded,
    clientLabels,
  };
}

/** The label of a fragment that is deferred; undefined for any other. */
export function deferLabelOf({ directives = [] }: SelectionNode): string | undefined {
  const directive = directives.find(({ name }) => name.value === directiveName);
  return directive && labelOf(directive);
}

function labelOf(directive: DirectiveNode): string | undefined {
  const label = argumentOf(directive, 'label');
  return label?.kind === Kind.STRING ? label.value : undefined;
}

function deferWith(label: string): ConstDirectiveNode {
  return {
    kind: Kind.DIRECTIVE,
    name: { kind: Kind.NAME, value: directiveName },
    arguments: [
      {
        kind: Kind.ARGUMENT,
        name: { kind: Kind.NAME, value: 'label' },
        value: { kind: Kind.STRING, value: label },
      },
    ],
  };
}
