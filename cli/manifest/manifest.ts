import { createHash } from 'node:crypto';
import {
  type DefinitionNode,
  type DocumentNode,
  type FragmentDefinitionNode,
  type GraphQLError,
  Kind,
  type OperationDefinitionNode,
  parse,
  print,
  type SelectionSetNode,
  visit,
} from 'graphql';
import type { SourceText } from './documents.ts';

/** An operation of a manifest. */
interface ManifestOperation {
  /** SHA-256 of the body, in hexadecimal digits. */
  readonly id: string;
  readonly name: string;
  readonly type: string;
  readonly body: string;
}

/** Manifest of operations, https://www.apollographql.com/docs/graphos/platform/security/persisted-queries */
export interface Manifest {
  readonly format: 'apollo-persisted-query-manifest';
  readonly version: 1;
  readonly operations: readonly ManifestOperation[];
}

/**
 * Makes the manifest of the operations of clients. Each has the fragments that it spreads, wherever they are defined, and stands
 * there twice: as it is written, and with `__typename` in each selection, as Apollo Client and urql send it.
 *
 * @throws Error that names the file when a text is no GraphQL, a name is there twice, or a fragment is missing
 */
export function makeManifest(sources: readonly SourceText[]): Manifest {
  const fragments = new Map<string, Defined<FragmentDefinitionNode>>();
  const operations = new Map<string, Defined<OperationDefinitionNode>>();
  for (const source of sources)
    for (const definition of parseSource(source).definitions)
      if (definition.kind === Kind.FRAGMENT_DEFINITION) define(fragments, definition, source.file);
      else if (definition.kind === Kind.OPERATION_DEFINITION) define(operations, definition, source.file);
  const byId = new Map<string, ManifestOperation>();
  for (const { definition, file } of operations.values()) {
    const document = withFragments(definition, file, fragments);
    for (const each of [document, withTypenames(document)]) {
      const body = print(each);
      const id = createHash('sha256').update(body).digest('hex');
      byId.set(id, { id, name: definition.name?.value ?? '', type: definition.operation, body });
    }
  }
  return { format: 'apollo-persisted-query-manifest', version: 1, operations: [...byId.values()] };
}

interface Defined<Definition> {
  readonly definition: Definition;
  readonly file: string;
}

function parseSource({ file, text }: SourceText): DocumentNode {
  try {
    return parse(text, { noLocation: true });
  } catch (error) {
    const { message, locations = [] } = error as GraphQLError;
    const [place] = locations;
    const where = place ? ` (line ${place.line} of the text)` : '';
    throw new Error(`${file} has a text that is no GraphQL${where}: ${message}`, { cause: error });
  }
}

function define<
  Definition extends DefinitionNode & { readonly name?: { readonly value: string } | undefined },
>(known: Map<string, Defined<Definition>>, definition: Definition, file: string): void {
  const name = definition.name?.value;
  if (name === undefined) throw new Error(`${file} has an operation without a name; clients name theirs`);
  const other = known.get(name);
  if (other && print(other.definition) !== print(definition))
    throw new Error(`${file} and ${other.file} both define '${name}', and differently`);
  known.set(name, { definition, file });
}

/** The operation with the fragments that it needs, in the order in which it meets them. */
function withFragments(
  operation: OperationDefinitionNode,
  file: string,
  fragments: ReadonlyMap<string, Defined<FragmentDefinitionNode>>,
): DocumentNode {
  const needed = new Map<string, FragmentDefinitionNode>();
  const collect = (node: SelectionSetNode) =>
    visit(node, {
      FragmentSpread({ name: { value: name } }) {
        if (needed.has(name)) return;
        const fragment = fragments.get(name);
        if (!fragment) throw new Error(`${file} spreads the fragment '${name}', which no source defines`);
        needed.set(name, fragment.definition);
        collect(fragment.definition.selectionSet);
      },
    });
  collect(operation.selectionSet);
  return { kind: Kind.DOCUMENT, definitions: [operation, ...needed.values()] };
}

const typename = { kind: Kind.FIELD, name: { kind: Kind.NAME, value: '__typename' } } as const;

/** Adds `__typename` at the end of each selection but those of operations and of introspection. */
function withTypenames(document: DocumentNode): DocumentNode {
  return visit(document, {
    SelectionSet(node, _key, parent) {
      const { selections } = node;
      if ((parent as { kind?: string } | undefined)?.kind === Kind.OPERATION_DEFINITION) return undefined;
      const hasOwn = selections.some(each => each.kind === Kind.FIELD && each.name.value.startsWith('__'));
      return hasOwn ? undefined : { ...node, selections: [...selections, typename] };
    },
  });
}
