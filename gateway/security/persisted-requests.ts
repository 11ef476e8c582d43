import type { FastifyRequest } from 'fastify';
import type { ParseBody } from '../listener/json-bodies.ts';
import type { PersistedOperations } from './persisted-operations.ts';

/** Gives a request the text of its operation, and leaves it as if it had come with that. @throws as `resolve` does */
export function resolvePersisted(
  persisted: PersistedOperations,
  request: FastifyRequest,
  parseBody: ParseBody,
): void {
  if (request.method === 'GET') {
    resolveQuery(persisted, request);
    return;
  }
  const text = request.body;
  const body = parseBody(request);
  // A batch, or what is no request, is Apollo Server's to refuse.
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return;
  const resolved = persisted.resolve(body);
  request.body = resolved === body ? text : JSON.stringify(resolved);
}

function resolveQuery(persisted: PersistedOperations, request: FastifyRequest): void {
  const given = request.query as { query?: string; extensions?: string; documentId?: string };
  const resolved = persisted.resolve({ ...given, extensions: jsonIn(given.extensions) });
  if (resolved.query === given.query) return;
  const others = Object.entries(request.query as Record<string, string>).filter(
    ([name]) => !['query', 'extensions', 'documentId', 'doc_id'].includes(name),
  );
  const search = new URLSearchParams([...others, ['query', resolved.query ?? '']]);
  request.raw.url = `/graphql?${search.toString()}`;
  request.query = Object.fromEntries(search);
}

function jsonIn(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}
