import { type ErrorKind, PorticoError, type PorticoErrorOptions } from '../platform/errors.ts';

/** Error codes that only the gateway answers with. */
export const gatewayErrorKinds = {
  QUERY_NOT_IN_SAFELIST: { httpStatus: 400, retryable: false },
  PERSISTED_QUERY_NOT_IN_LIST: { httpStatus: 400, retryable: false },
  ORIGIN_NOT_ALLOWED: { httpStatus: 403, retryable: false },
  RATE_LIMITED: { httpStatus: 429, retryable: true },
  TOO_MANY_OPERATIONS: { httpStatus: 429, retryable: false },
  SLOW_CLIENT: { httpStatus: 503, retryable: true },
  GRAPH_NOT_READY: { httpStatus: 503, retryable: true },
  OVERLOADED: { httpStatus: 503, retryable: true },
  SUBGRAPH_OVERLOADED: { httpStatus: 503, retryable: true },
  SUBGRAPH_UNAVAILABLE: { httpStatus: 503, retryable: true },
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
