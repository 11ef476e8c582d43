import { GraphQLError } from 'graphql';
import { type ErrorKind, PorticoError, type PorticoErrorOptions } from '../platform/errors.ts';

/** Error codes that only the gateway answers with. */
export const gatewayErrorKinds = {
  QUERY_NOT_IN_SAFELIST: { httpStatus: 400, retryable: false },
  PERSISTED_QUERY_NOT_IN_LIST: { httpStatus: 400, retryable: false },
  COST_ESTIMATED_TOO_EXPENSIVE: { httpStatus: 400, retryable: false },
  MAX_VARIABLE_DEPTH_LIMIT: { httpStatus: 400, retryable: false },
  MAX_VARIABLE_VALUES_LIMIT: { httpStatus: 400, retryable: false },
  MAX_ANSWER_BYTES_LIMIT: { httpStatus: 400, retryable: false },
  COST_BUDGET_EXCEEDED: { httpStatus: 429, retryable: true },
  ORIGIN_NOT_ALLOWED: { httpStatus: 403, retryable: false },
  RATE_LIMITED: { httpStatus: 429, retryable: true },
  TOO_MANY_OPERATIONS: { httpStatus: 429, retryable: false },
  SLOW_CLIENT: { httpStatus: 503, retryable: true },
  GRAPH_NOT_READY: { httpStatus: 503, retryable: true },
  OVERLOADED: { httpStatus: 503, retryable: true },
  SUBGRAPH_OVERLOADED: { httpStatus: 503, retryable: true },
  SUBGRAPH_UNAVAILABLE: { httpStatus: 503, retryable: true },
  OPERATION_TIMEOUT: { httpStatus: 504, retryable: true },
  SUBGRAPH_TIMEOUT: { httpStatus: 504, retryable: true },
  SUBGRAPH_ERROR: { httpStatus: 502, retryable: false },
  SUBSCRIPTIONS_UNSUPPORTED: { httpStatus: 502, retryable: false },
  SUBGRAPH_INVALID_VALUE: { httpStatus: 502, retryable: false },
} as const satisfies Record<string, ErrorKind>;

/** A stable, documented error code of the gateway. */
export type GatewayErrorCode = keyof typeof gatewayErrorKinds;

/** An error of the gateway that a client is meant to see. */
export class GatewayError extends PorticoError {
  override readonly name: string = 'GatewayError';
  override readonly code: GatewayErrorCode;
  protected override readonly kind: ErrorKind;

  constructor(code: GatewayErrorCode, message: string, options?: PorticoErrorOptions) {
    super('INTERNAL_SERVER_ERROR', message, options);
    this.code = code;
    this.kind = gatewayErrorKinds[code];
  }
}

/**
 * Error with which an operation is refused as a whole. Apollo Server takes the status and the headers of its answer from
 * `extensions.http`, which clients do not see.
 */
export function refusalOf(error: PorticoError): GraphQLError {
  const { retryAfterSeconds } = error.details;
  const headers =
    typeof retryAfterSeconds === 'number' ? [['retry-after', String(retryAfterSeconds)] as const] : [];
  return new GraphQLError(error.message, {
    originalError: error,
    extensions: {
      code: error.code,
      ...error.details,
      http: { status: error.httpStatus, headers: new Map(headers) },
    },
  });
}

/** Head of the answer to an operation that is refused as a whole. */
export interface Refusal {
  /** HTTP status. */
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
}

/** Status and headers of the answer to an operation that is refused as a whole; undefined when none of the errors refuses it. */
export function refusalIn(errors: readonly GraphQLError[]): Refusal | undefined {
  for (const { extensions } of errors) {
    const http = extensions['http'] as { status: number; headers?: ReadonlyMap<string, string> } | undefined;
    if (http) return { status: http.status, headers: Object.fromEntries(http.headers ?? []) };
  }
  return undefined;
}
