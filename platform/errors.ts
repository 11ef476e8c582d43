import { GraphQLError } from 'graphql';

/** Facts about all errors of one code. */
export interface ErrorKind {
  /** Status when the error answers a plain HTTP request. */
  readonly httpStatus: number;
  /** True if the same request may succeed later, unchanged. */
  readonly retryable: boolean;
}

/**
 * Error codes that every process may answer with, at the GraphQL edge (`extensions.code`) and over HTTP. The gateway has
 * more of its own.
 */
export const errorKinds = {
  GRAPHQL_VALIDATION_FAILED: { httpStatus: 400, retryable: false },
  BAD_USER_INPUT: { httpStatus: 400, retryable: false },
  UNAUTHENTICATED: { httpStatus: 401, retryable: false },
  FORBIDDEN: { httpStatus: 403, retryable: false },
  NOT_FOUND: { httpStatus: 404, retryable: false },
  CONFLICT: { httpStatus: 409, retryable: false },
  IDEMPOTENCY_KEY_REUSED: { httpStatus: 422, retryable: false },
  INTERNAL_SERVER_ERROR: { httpStatus: 500, retryable: false },
  SERVICE_UNAVAILABLE: { httpStatus: 503, retryable: true },
  SERVICE_TIMEOUT: { httpStatus: 504, retryable: true },
} as const satisfies Record<string, ErrorKind>;

/** A stable, documented error code. */
export type ErrorCode = keyof typeof errorKinds;

/** Options of a {@link PorticoError}. */
export interface PorticoErrorOptions {
  readonly cause?: unknown;
  /** Machine-readable facts for the client, beside the code: `{ field: 'items[0].sku' }`. */
  readonly details?: Record<string, unknown>;
}

/** An error that a client is meant to see: its message and details leave the process. */
export class PorticoError extends Error {
  override readonly name: string = 'PorticoError';
  readonly code: string;
  readonly details: Record<string, unknown>;
  /** Kind of the error; a subclass with codes of its own gives theirs. */
  protected readonly kind: ErrorKind;

  constructor(code: ErrorCode, message: string, { cause, details = {} }: PorticoErrorOptions = {}) {
    super(message, { cause });
    this.code = code;
    this.details = details;
    this.kind = errorKinds[code];
  }

  get retryable(): boolean {
    return this.kind.retryable;
  }

  get httpStatus(): number {
    return this.kind.httpStatus;
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
  protected override readonly kind = { httpStatus: 422, retryable: false };

  constructor(code: string, message: string, options?: PorticoErrorOptions) {
    super('CONFLICT', message, options);
    this.code = code;
  }
}

/** Tells if a code is one of ours. */
export function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === 'string' && Object.hasOwn(errorKinds, code);
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
