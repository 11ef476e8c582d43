import type { FastifyRequest } from 'fastify';
import type { ParseBody } from '../listener/json-bodies.ts';
import type { NamedRequest, PersistedOperations } from './persisted-operations.ts';

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
  const given = request.query as Readonly<Record<string, unknown>>;
  const asked: NamedRequest = { ...given, extensions: jsonIn(given['extensions']) };
  const resolved = persisted.resolve(asked);
  const extensions = resolved.extensions && JSON.stringify(resolved.extensions);
  const params = resolved === asked ? given : { ...resolved, extensions };
  request.query = params;
  // Apollo Server reads the URL for itself, and otherwise than Fastify does: it is to find there what was checked.
  request.raw.url = `/graphql?${searchOf(params)}`;
}

/** Parameters of a URL. One that is there several times stays so: Apollo Server refuses it. */
function searchOf(params: Readonly<Record<string, unknown>>): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(params))
    for (const each of [value].flat()) if (typeof each === 'string') search.append(name, each);
  return search.toString();
}

function jsonIn(text: unknown): unknown {
  try {
    return typeof text === 'string' ? JSON.parse(text) : undefined;
  } catch {
    return undefined;
  }
}
