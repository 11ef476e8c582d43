import { PorticoError } from '../errors.ts';

/** Arguments of a forward Relay connection, as GraphQL gives them. */
export interface ConnectionArgs {
  readonly first?: number | null;
  readonly after?: string | null;
}

/** Beginning and length of a page. */
export interface PageRequest {
  /** Nodes in the page, 1 to the connection's maximum. */
  readonly first: number;
  /** Sort key of the node before the page; undefined at the beginning. */
  readonly afterKey: string | undefined;
}

/** A page in the shape of the GraphQL Cursor Connections Specification. */
export interface Connection<T> {
  readonly edges: { readonly cursor: string; readonly node: T }[];
  readonly pageInfo: {
    readonly hasNextPage: boolean;
    readonly hasPreviousPage: boolean;
    readonly startCursor: string | null;
    readonly endCursor: string | null;
  };
}

/** Nodes in a page when the client does not say. */
const defaultPageSize = 20;
/** Most nodes that a client gets at once. */
export const maxPageSize = 100;

/**
 * Reads a connection's arguments.
 *
 * @param kind name of the connection; a cursor of another one is refused
 * @param keyPattern what the sort key in a cursor looks like
 * @throws PorticoError BAD_USER_INPUT for a page size or cursor that is not ours
 */
export function readPage(kind: string, { first, after }: ConnectionArgs, keyPattern?: RegExp): PageRequest {
  const size = first ?? defaultPageSize;
  if (size < 1 || size > maxPageSize)
    throw new PorticoError('BAD_USER_INPUT', `'first' must be from 1 to ${maxPageSize}; it is ${size}`, {
      details: { field: 'first' },
    });
  return { first: size, afterKey: after == null ? undefined : decodeCursor(kind, after, keyPattern) };
}

/** Makes a page of rows, of which one more than asked for was read to learn whether there is a next page. */
export function toConnection<T>(
  kind: string,
  rows: readonly T[],
  { first, afterKey }: PageRequest,
  keyOf: (row: T) => string,
): Connection<T> {
  const edges = rows.slice(0, first).map(node => ({ cursor: encodeCursor(kind, keyOf(node)), node }));
  return {
    edges,
    pageInfo: {
      hasNextPage: rows.length > first,
      hasPreviousPage: afterKey !== undefined,
      startCursor: edges.at(0)?.cursor ?? null,
      endCursor: edges.at(-1)?.cursor ?? null,
    },
  };
}

/** Makes the opaque cursor of a sort key. */
export function encodeCursor(kind: string, key: string): string {
  return Buffer.from(`${kind}:${key}`).toString('base64url');
}

/** The sort key in a cursor. @throws PorticoError BAD_USER_INPUT when the cursor is not one of this connection */
export function decodeCursor(kind: string, cursor: string, keyPattern = /^.+$/s): string {
  const text = Buffer.from(cursor, 'base64url').toString('utf8');
  const key = text.slice(kind.length + 1);
  if (!text.startsWith(`${kind}:`) || !keyPattern.test(key) || encodeCursor(kind, key) !== cursor)
    throw new PorticoError(
      'BAD_USER_INPUT',
      `'after' must be a cursor of '${kind}'; it is '${cursor.slice(0, 100)}'`,
      { details: { field: 'after' } },
    );
  return key;
}
