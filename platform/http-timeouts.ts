import type { ProcessConfig } from './config.ts';

/** Times that a server gives its clients, in ms, by the names that Node has for them. */
export interface HttpTimeouts {
  readonly headersTimeout: number;
  readonly requestTimeout: number;
  /** Time that a connection may be open between two requests. */
  readonly keepAliveTimeout: number;
  /** How often Node looks for requests whose time is over. */
  readonly connectionsCheckingInterval: number;
}

/** Longer than the time for which load balancers keep a connection by default, which is 60 s at most of them. */
const keepAliveTimeout = 72_000;

/** The times of a process's settings. */
export function httpTimeoutsOf(
  config: Pick<ProcessConfig, 'HTTP_HEADERS_TIMEOUT_MS' | 'HTTP_REQUEST_TIMEOUT_MS'>,
): HttpTimeouts {
  const requestTimeout = config.HTTP_REQUEST_TIMEOUT_MS;
  // Node refuses more for a part of the request than for the whole.
  const headersTimeout = Math.min(config.HTTP_HEADERS_TIMEOUT_MS, requestTimeout);
  const connectionsCheckingInterval = Math.min(Math.ceil(headersTimeout / 4), 5_000);
  return { headersTimeout, requestTimeout, keepAliveTimeout, connectionsCheckingInterval };
}
