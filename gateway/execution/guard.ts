import { type DocumentNode, type FieldNode, GraphQLError, visit } from 'graphql';
import { keepSelected } from './conditions.ts';

/** Tells which fields of a document a caller may have. */
export interface FieldGuard {
  /** Ids of the requirements that some field of the document has. */
  requirementsOf(document: DocumentNode): readonly number[];
  /** Fields of which some requirement is not granted. */
  deniedIn(document: DocumentNode, isGranted: (id: number) => boolean): ReadonlySet<FieldNode>;
}

/** Requirements that a caller fulfils. */
export interface Grants {
  isGranted(id: number): boolean;
  /** The same for callers that fulfil the same requirements. */
  readonly key: string;
  /** Code of the error of a field that is denied. */
  readonly deniedCode: 'UNAUTHENTICATED' | 'FORBIDDEN';
  /** True if an operation with such a field is refused as a whole. */
  readonly rejects: boolean;
}

/** Takes fields out of a document, so that no subgraph is asked for them. Where nothing is left, `__typename` is. */
export function withoutFields(document: DocumentNode, denied: ReadonlySet<FieldNode>): DocumentNode {
  if (denied.size === 0) return document;
  return visit(document, {
    Field: { enter: field => (denied.has(field) ? null : undefined) },
    SelectionSet: { leave: keepSelected },
  });
}

/** Error of a field that a caller may not have. @param path none when the operation is refused as a whole */
export function deniedError(
  field: string,
  code: Grants['deniedCode'],
  path?: readonly (string | number)[],
): GraphQLError {
  const reason = code === 'UNAUTHENTICATED' ? 'sign in first' : 'your token does not have what it needs';
  return new GraphQLError(`You may not have the field ${field}: ${reason}`, {
    ...(path ? { path } : {}),
    extensions: { code, ...(path ? {} : { http: { status: code === 'UNAUTHENTICATED' ? 401 : 403 } }) },
  });
}
