import type { FastifyRequest } from 'fastify';
import type { ParseBody } from '../listener/json-bodies.ts';

/** How a request asks for its operation. */
export interface RequestText {
  /** By GET, queries are run only. */
  readonly method: 'GET' | 'POST';
  /** The body as it came; by GET, the URL. */
  readonly text: string;
  /** The body as a value, or what the URL has in its place. @throws Error when it is no JSON */
  parse(): unknown;
}

/**
 * Reads how a request asks for its operation: by its body, or by its URL.
 *
 * @returns undefined for a request that Apollo Server has to look at
 */
export function readRequestText(request: FastifyRequest, parseBody: ParseBody): RequestText | undefined {
  const { method, body, raw } = request;
  if (method === 'POST' && typeof body === 'string')
    return { method, text: body, parse: () => parseBody(request) };
  if (method !== 'GET' || !isPreflighted(request)) return undefined;
  const parameters = request.query as Readonly<Record<string, unknown>>;
  return { method, text: raw.url ?? '', parse: () => bodyOf(parameters) };
}

/** Headers that a page of another site can't send without being asked whether it may, as Apollo Server has them. */
const preflightHeaders = ['apollo-require-preflight', 'x-apollo-operation-name'];

/** Tells if a request by GET surely comes from no page of another site. Of others, Apollo Server decides. */
function isPreflighted({ headers }: FastifyRequest): boolean {
  const type = headers['content-type'];
  if (type !== undefined) return type === 'application/json';
  return preflightHeaders.some(name => Boolean(headers[name]));
}

/**
 * The body that says the same as the parameters of a URL: https://graphql.github.io/graphql-over-http/draft/#sec-GET
 *
 * @returns undefined when one is not as it should be
 */
function bodyOf({ variables, extensions, ...rest }: Readonly<Record<string, unknown>>): object | undefined {
  try {
    return { ...rest, variables: jsonOf(variables), extensions: jsonOf(extensions) };
  } catch {
    return undefined;
  }
}

/** @throws Error when it is no JSON */
function jsonOf(text: unknown): unknown {
  if (text === undefined) return undefined;
  if (typeof text !== 'string') throw new Error('A parameter is there several times');
  return JSON.parse(text);
}
