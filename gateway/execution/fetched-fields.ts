import type { FetchNode } from '@apollo/query-planner';
import { Kind, parse, type SelectionSetNode } from 'graphql';
import { type Fragments, fragmentsOf } from './fragments.ts';

/** Names of fields and what is selected below them. */
export type FieldTree = ReadonlyMap<string, FieldTree>;

type GrowingTree = Map<string, GrowingTree>;

const treeByFetch = new WeakMap<FetchNode, FieldTree>();

/** Fields that a fetch adds to each of its places, by their names in the tree. They are found once for each fetch. */
export function fetchedFieldsOf(fetch: FetchNode): FieldTree {
  const known = treeByFetch.get(fetch);
  if (known) return known;
  const tree = readFieldsOf(fetch);
  treeByFetch.set(fetch, tree);
  return tree;
}

function readFieldsOf(fetch: FetchNode): FieldTree {
  const document = parse(fetch.operation);
  const fragments = fragmentsOf(document);
  const tree: GrowingTree = new Map();
  for (const definition of document.definitions)
    if (definition.kind === Kind.OPERATION_DEFINITION) grow(tree, definition.selectionSet, fragments);
  const added = fetch.requires ? (tree.get('_entities') ?? new Map()) : tree;
  for (const rewrite of fetch.outputRewrites ?? []) {
    const [name, ...deeper] = rewrite.path.filter(step => !step.startsWith('... on '));
    if (rewrite.kind !== 'KeyRenamer' || name === undefined) continue;
    rename(added, [name, ...deeper], rewrite.renameKeyTo);
  }
  return added;
}

function grow(tree: GrowingTree, { selections }: SelectionSetNode, fragments: Fragments): void {
  for (const selection of selections)
    if (selection.kind === Kind.FIELD) {
      const name = (selection.alias ?? selection.name).value;
      const below = tree.get(name) ?? new Map();
      tree.set(name, below);
      if (selection.selectionSet) grow(below, selection.selectionSet, fragments);
    } else if (selection.kind === Kind.INLINE_FRAGMENT) grow(tree, selection.selectionSet, fragments);
    else {
      const fragment = fragments.get(selection.name.value);
      if (fragment) grow(tree, fragment.selectionSet, fragments);
    }
}

/** Adds the new name beside the old one: another type may still have the old one. */
function rename(tree: GrowingTree, path: readonly string[], to: string): void {
  const [name, ...deeper] = path;
  const below = name === undefined ? undefined : tree.get(name);
  if (!below) return;
  if (deeper.length > 0) rename(below, deeper, to);
  else tree.set(to, below);
}
