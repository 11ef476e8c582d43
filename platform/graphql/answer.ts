import { isDeeperThan } from './json-depth.ts';

/** Most lists and objects within each other that a GraphQL server may answer with. */
const maxAnswerDepth = 1_000;

/** Answer of a GraphQL server: https://spec.graphql.org/October2021/#sec-Response-Format */
export interface GraphqlAnswer {
  readonly data?: Record<string, unknown> | null;
  readonly errors?: readonly ({ readonly message: string } & Record<string, unknown>)[];
  readonly extensions?: Record<string, unknown>;
}

/**
 * Reads a GraphQL server's answer, whatever the HTTP status that it came with.
 *
 * @throws Error when it is none, is too deep, or has neither data nor errors
 */
export function readGraphqlAnswer(text: string): GraphqlAnswer {
  const { data, errors, extensions } = readGraphqlResult(parseAnswer(text));
  if (!data && !errors?.length) throw new Error('it has neither data nor errors');
  if (data && !errors?.length && !extensions) return { data };
  return {
    ...(data === undefined ? {} : { data }),
    ...(errors?.length ? { errors } : {}),
    ...(extensions ? { extensions } : {}),
  };
}

/** Parses JSON of a server. @throws Error when it is none, or too deep */
export function parseAnswer(text: string): unknown {
  checkDepth(text);
  return JSON.parse(text);
}

/** Checks JSON of a server before it is parsed. @throws Error when it is too deep */
export function checkDepth(text: string): void {
  if (isDeeperThan(text, maxAnswerDepth))
    throw new Error(`it has more than ${maxAnswerDepth} lists and objects within each other`);
}

/** Parts of a result, each of which may be missing or null. */
export interface GraphqlResult {
  readonly data?: GraphqlAnswer['data'] | undefined;
  readonly errors?: GraphqlAnswer['errors'] | null | undefined;
  readonly extensions?: GraphqlAnswer['extensions'] | null | undefined;
}

/** Checks that a value has the shape of a GraphQL result. @throws Error when it has not */
export function readGraphqlResult(answer: unknown): GraphqlResult {
  if (!isObject(answer)) throw new Error('it is no object');
  const { data, errors, extensions } = answer;
  if (!isAbsent(data) && !isObject(data)) throw new Error('its data is no object');
  // Many servers write `errors: null` when there are none.
  if (!isAbsent(errors) && !isErrors(errors)) throw new Error('its errors are no list of errors');
  if (!isAbsent(extensions) && !isObject(extensions)) throw new Error('its extensions are no object');
  return answer;
}

function isAbsent(value: unknown): value is null | undefined {
  return value === null || value === undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isErrors(value: unknown): value is NonNullable<GraphqlAnswer['errors']> {
  return (
    Array.isArray(value) && value.every(error => isObject(error) && typeof error['message'] === 'string')
  );
}

/**
 * Tells if an answer says that the server is unwell: a framework that tells of its own fault with a status of 500 or
 * above may well write a list of errors.
 */
export function isServerFault(status: number, { data }: GraphqlAnswer): boolean {
  return status >= 500 && !data;
}
