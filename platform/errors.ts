import { GraphQLError } from 'graphql';

interface ErrorKind {
  /** Status when the error answers a plain HTTP request. */
  readonly httpStatus: number;
  /** True if the same request may succeed later, unchanged. */
  readonly retryable: boolean;
}

/** Every error code that leaves a process of ours, at the GraphQL edge (`extensions.code`) and over HTTP. */
export const errorKinds = {
  GRAPHQL_VALIDATION_FAILED: { httpStatus: 400, retryable: false },
  BAD_USER_INPUT: { httpStatus: 400, retryable: false },
  UNAUTHENTICATED: { httpStatus: 401, retryable: false },
  FORBIDDEN: { httpStatus: 403, retryable: false },
  NOT_FOUND: { httpStatus: 404, retryable: false },
  CONFLICT: { httpStatus: 409, retryable: false },
  IDEMPOTENCY_KEY_REUSED: { httpStatus: 422, retryable: false },
  TOO_MANY_OPERATIONS: { httpStatus: 429, retryable: false },
  SLOW_CLIENT: { httpStatus: 503, retryable: true },
  INTERNAL_SERVER_ERROR: { httpStatus: 500, retryable: false },
  GRAPH_NOT_READY: { httpStatus: 503, retryable: true },
  SERVICE_UNAVAILABLE: { httpStatus: 503, retryable: true },
  SERVICE_TIMEOUT: { httpStatus: 504, retryable: true },
  OVERLOADED: { httpStatus: 503, retryable: true },
  SUBGRAPH_OVERLOADED: { httpStatus: 503, retryable: true },
  SUBGRAPH_UNAVAILABLE: { httpStatus: 503, retryable: true },
  SUBGRAPH_TIMEOUT: { httpStatus: 504, retryable: true },
  SUBGRAPH_ERROR: { httpStatus: 502, retryable: false },
  SUBSCRIPTIONS_UNSUPPORTED: { httpStatus: 502, retryable: false },
  SUBGRAPH_INVALID_VALUE: { httpStatus: 502, retryable: false },
} as const satisfies Record<string, ErrorKind>;

/** A stable, documented error code. */
export type ErrorCode = keyof typeof errorKinds;

interface PorticoErrorOptions {
  readonly cause?: unknown;
  /** Machine-readable facts for the client, beside the code: `{ field: 'items[0].sku' }`. */
  readonly details?: Record<string, unknown>;
}

/** An error that a client is meant to see: its message and details leave the process. */
export class PorticoError extends Error {
  override readonly name: string = 'PorticoError';
  readonly code: string;
  readonly details: Record<string, unknown>;

  constructor(code: ErrorCode, message: string, { cause, details = {} }: PorticoErrorOptions = {}) {
    super(message, { cause });
    this.code = code;
    this.details = details;
  }

  get retryable(): boolean {
    return isErrorCode(this.code) && errorKinds[this.code].retryable;
  }

  get httpStatus(): number {
    return isErrorCode(this.code) ? errorKinds[this.code].httpStatus : refusedByService;
  }

  /** The same error as GraphQL writes it. */
  toGraphQLError(): GraphQLError {
    return new GraphQLError(this.message, {
      originalError: this,
      extensions: { code: this.code, ...this.details },
    });
  }
}

/** Error of another service with a code of its own, such as INSUFFICIENT_FUNDS. It passes through unchanged. */
export class ServiceError extends PorticoError {
  override readonly name = 'ServiceError';
  override readonly code: string;

  constructor(code: string, message: string, options?: PorticoErrorOptions) {
    super('CONFLICT', message, options);
    this.code = code;
  }
}

/** Status of a request that another service refused for a reason of its own. */
const refusedByService = 422;

/** Tells if a code is one of ours. */
export function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === 'string' && Object.hasOwn(errorKinds, code);
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
