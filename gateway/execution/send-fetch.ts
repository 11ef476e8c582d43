import type { FetchNode, ResponsePath } from '@apollo/query-planner';
import type { GraphQLFormattedError, GraphQLSchema } from 'graphql';
import type { DataObject } from './data.ts';
import { quote, toJson } from './json.ts';
import type { Run } from './run.ts';
import type { SubgraphAnswer } from './subgraph-answer.ts';

/** A fetch and what it needs for each of its runs. */
export interface CompiledFetch {
  readonly node: FetchNode;
  readonly schema: GraphQLSchema;
  /** Path of its objects. */
  readonly path: ResponsePath;
  /** True if each object gets a copy of the answer, because another fetch changes it below. */
  readonly isCopied: boolean;
  readonly isMutation: boolean;
  /** The request's body as far as all its runs have the same: up to the first variable. */
  readonly bodyPrefix: string;
}

/** Sends a fetch. `errors: null` means none, and an answer with nothing at all is an error. */
export async function sendFetch(
  fetch: CompiledFetch,
  run: Run,
  representations: readonly string[] | undefined,
): Promise<{ data: DataObject | undefined; errors: readonly GraphQLFormattedError[] }> {
  const { node, isMutation } = fetch;
  const answer: SubgraphAnswer = await run.fetch(node.serviceName, {
    query: node.operation,
    isMutation,
    representations,
    body: bodyOf(fetch, run, representations),
  });
  const { extensions } = answer;
  if (extensions)
    run.extensions.set(node.serviceName, { ...run.extensions.get(node.serviceName), ...extensions });
  const data = answer.data ?? undefined;
  const errors = usableErrors(answer.errors ?? [], run);
  if (data || errors.length > 0) return { data, errors };
  const message = `The subgraph '${node.serviceName}' answered with neither data nor errors`;
  return { data, errors: [{ message, extensions: { code: 'SUBGRAPH_ERROR' } }] };
}

/** Longest path of an error that is looked at. */
const maxPathLength = 200;

/** Errors with which something can be done: no more than a client gets, and with a path only if it is one. */
function usableErrors(
  errors: readonly GraphQLFormattedError[],
  { failures }: Run,
): readonly GraphQLFormattedError[] {
  if (errors.length === 0) return errors;
  const usable = errors.slice(0, failures.maxErrors);
  failures.omit(errors.length - usable.length);
  return usable.map(error => (isPath(error.path) ? error : withoutPath(error)));
}

function withoutPath({ message, extensions }: GraphQLFormattedError): GraphQLFormattedError {
  return extensions ? { message, extensions } : { message };
}

function isPath(path: unknown): boolean {
  if (path === undefined) return true;
  if (!Array.isArray(path) || path.length > maxPathLength) return false;
  return path.every(key => typeof key === 'string' || typeof key === 'number');
}

/** The request's body as far as all runs of a fetch have the same: up to the first variable. */
export function bodyPrefixOf({ operation, operationName }: FetchNode): string {
  const name = operationName === undefined ? '' : `,"operationName":${quote(operationName)}`;
  return `{"query":${quote(operation)}${name},"variables":{`;
}

/** Has the values that the client gave for the variables that the fetch uses. Its own document has the defaults. */
function bodyOf(
  { node, bodyPrefix }: CompiledFetch,
  { variables }: Run,
  representations: readonly string[] | undefined,
): string {
  let body = bodyPrefix;
  let comma = '';
  for (const name of node.variableUsages ?? []) {
    const value = variables[name];
    if (value === undefined) continue;
    body += `${comma}${quote(name)}:${toJson(value)}`;
    comma = ',';
  }
  if (representations) body += `${comma}"representations":[${representations.join(',')}]`;
  return `${body}}}`;
}
