import type { FetchNode, PlanNode, QueryPlan, QueryPlanSelectionNode } from '@apollo/query-planner';
import { Kind, parse, print, visit } from 'graphql';
import type { FieldCopies } from './add-copies.ts';
import { isCopy, originalOf } from './names.ts';

/**
 * Makes a plan over the copies one that can be executed: a fetch asks for the field under the copy's name, and what requires
 * different copies of one field is fetched apart, since a representation has room for one of them.
 */
export function resolveCopies(plan: QueryPlan, copies: FieldCopies): QueryPlan {
  const { node } = plan;
  if (!node || node.kind === 'Subscription' || !JSON.stringify(node).includes('portico_copy')) return plan;
  return { ...plan, node: resolveNode(node, copies) };
}

function resolveNode(node: PlanNode, copies: FieldCopies): PlanNode {
  switch (node.kind) {
    case 'Fetch': {
      const fetches = splitFetch(node, copies).map(askForOriginals);
      return fetches.length === 1 ? (fetches[0] as FetchNode) : { kind: 'Parallel', nodes: fetches };
    }
    case 'Sequence':
    case 'Parallel':
      return { ...node, nodes: node.nodes.map(each => resolveNode(each, copies)) };
    case 'Flatten':
      return { ...node, node: resolveNode(node.node, copies) };
    case 'Condition': {
      const { ifClause, elseClause } = node;
      return {
        ...node,
        ...(ifClause ? { ifClause: resolveNode(ifClause, copies) } : {}),
        ...(elseClause ? { elseClause: resolveNode(elseClause, copies) } : {}),
      };
    }
    case 'Defer': {
      const { primary, deferred } = node;
      return {
        ...node,
        primary: { ...primary, ...(primary.node ? { node: resolveNode(primary.node, copies) } : {}) },
        deferred: deferred.map(each => ({
          ...each,
          ...(each.node ? { node: resolveNode(each.node, copies) } : {}),
        })),
      };
    }
    default:
      return node satisfies never;
  }
}

/** Asks for the fields that copies are of, each under the name of its copy. */
function askForOriginals(node: FetchNode): FetchNode {
  if (!node.operation.includes('portico_copy')) return node;
  const document = visit(parse(node.operation, { noLocation: true }), {
    Field(field) {
      const original = originalOf(field.name.value);
      if (original === field.name.value) return undefined;
      return {
        ...field,
        alias: field.alias ?? field.name,
        name: { kind: Kind.NAME, value: original } as const,
      };
    },
  });
  return { ...node, operation: print(document) };
}

/** Splits a fetch of entities so that none of its parts requires two copies of one field. */
function splitFetch(node: FetchNode, { requiredBy }: FieldCopies): FetchNode[] {
  const required = copiesIn(node.requires ?? []);
  const count = mostCopiesOfOneField(required);
  if (count < 2) return [node];
  const groups = Array.from({ length: count }, (_, index) => groupOf(required, index));
  return groups.map((group, index) => {
    const others = required.filter(name => !group.has(name));
    const operation = keepFields(node.operation, place => {
      const needed = requiredBy.get(place);
      return needed ? [...needed].every(name => group.has(name)) : index === 0;
    });
    const used = variablesIn(operation);
    return {
      ...node,
      operation,
      requires: withoutCopies(node.requires ?? [], new Set(others)),
      variableUsages: (node.variableUsages ?? []).filter(name => used.has(name)),
    };
  });
}

function copiesIn(selections: readonly QueryPlanSelectionNode[]): string[] {
  const found = selections.flatMap(selection => [
    ...(selection.kind === 'Field' && isCopy(selection.name) ? [selection.name] : []),
    ...copiesIn(selection.selections ?? []),
  ]);
  return [...new Set(found)];
}

function mostCopiesOfOneField(names: readonly string[]): number {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(originalOf(name), (counts.get(originalOf(name)) ?? 0) + 1);
  return Math.max(0, ...counts.values());
}

/** One copy of each field: the one at an index, or the first where there are fewer. */
function groupOf(names: readonly string[], index: number): Set<string> {
  const byOriginal = new Map<string, string[]>();
  for (const name of names)
    byOriginal.set(originalOf(name), [...(byOriginal.get(originalOf(name)) ?? []), name]);
  return new Set([...byOriginal.values()].flatMap(each => each[index] ?? each[0] ?? []));
}

function withoutCopies(
  selections: readonly QueryPlanSelectionNode[],
  left: ReadonlySet<string>,
): QueryPlanSelectionNode[] {
  return selections.flatMap(selection => {
    if (selection.kind === 'Field' && left.has(selection.name)) return [];
    return [
      selection.selections
        ? { ...selection, selections: withoutCopies(selection.selections, left) }
        : selection,
    ] as QueryPlanSelectionNode[];
  });
}

/** Keeps the fields of the entities that are wanted, and the variables that they use. */
function keepFields(operation: string, isWanted: (place: string) => boolean): string {
  const document = parse(operation, { noLocation: true });
  const pruned = visit(document, {
    InlineFragment(fragment, _key, _parent, _path, ancestors) {
      const depth = ancestors.filter(each => (each as { kind?: string }).kind === Kind.FIELD).length;
      const type = fragment.typeCondition?.name.value;
      if (depth !== 1 || type === undefined) return undefined;
      const selections = fragment.selectionSet.selections.filter(
        each =>
          each.kind !== Kind.FIELD ||
          each.name.value.startsWith('__') ||
          isWanted(`${type}.${each.name.value}`),
      );
      const typename = { kind: Kind.FIELD, name: { kind: Kind.NAME, value: '__typename' } } as const;
      return {
        ...fragment,
        selectionSet: {
          ...fragment.selectionSet,
          selections: selections.length > 0 ? selections : [typename],
        },
      };
    },
  });
  const used = variablesIn(print(visit(pruned, { VariableDefinition: () => null })));
  return print(
    visit(pruned, {
      VariableDefinition: ({ variable }) => (used.has(variable.name.value) ? undefined : null),
    }),
  );
}

function variablesIn(operation: string): Set<string> {
  const names = new Set<string>();
  visit(parse(operation, { noLocation: true }), {
    VariableDefinition: () => false,
    Variable: ({ name }) => void names.add(name.value),
  });
  return names;
}
