import * as z from 'zod';
import { durationMs, wholeNumber } from '../../platform/config.ts';

/** Settings of live operations, and of the connections that they come over. */
export const liveSettings = z.object({
  LIVE_MAX_CONNECTIONS: wholeNumber(20_000, { min: 1, max: 1_000_000 }).describe(
    'Most connections of clients with live operations, over WebSockets and HTTP streams.',
  ),
  LIVE_MAX_CONNECTIONS_PER_ADDRESS: wholeNumber(0, { max: 1_000_000 }).describe(
    'Most of these connections of one address; 0 for as many as there may be of all. Behind a proxy, set GATEWAY_TRUSTED_PROXIES first.',
  ),
  LIVE_MAX_CONNECTIONS_PER_CALLER: wholeNumber(0, { max: 1_000_000 }).describe(
    'Most of these connections of one caller with a token; 0 for as many as there may be of all.',
  ),
  LIVE_MAX_MESSAGES_PER_SECOND: wholeNumber(500, { min: 1, max: 1_000_000 }).describe(
    'Most messages of a client over one WebSocket in a second; with one more it is closed with 1008.',
  ),
  LIVE_MAX_MESSAGE_BYTES: wholeNumber(262_144, { min: 1_024, max: 104_857_600 }).describe(
    'Largest message of a client over a WebSocket; with a larger one it is closed with 1009.',
  ),
  LIVE_CONNECTION_INIT_TIMEOUT_MS: durationMs(3_000).describe(
    'How long a WebSocket may be open without the message connection_init; then it is closed with 4408.',
  ),
  LIVE_MAX_OPERATIONS_PER_CONNECTION: wholeNumber(100, { min: 1, max: 100_000 }).describe(
    'Most operations at once over one WebSocket.',
  ),
  LIVE_BUFFER_EVENTS: wholeNumber(100, { min: 1, max: 100_000 }).describe(
    'Events that may wait for a client that reads slowly; with one more it is too slow.',
  ),
  LIVE_SLOW_CLIENT: z
    .enum(['disconnect', 'end-operation'])
    .default('disconnect')
    .describe(
      'What happens to a client that is too slow: its WebSocket is closed with 4290, or only the operation ends. Both say where to go on.',
    ),
  LIVE_RESUME_TIMEOUT_MS: durationMs(60_000).describe(
    'How long a subgraph that was lost is looked for before its subscriptions end.',
  ),
  LIVE_KEEP_ALIVE_MS: durationMs(12_000).describe(
    'How often an idle connection is used; a WebSocket that has not answered until the next time is closed.',
  ),
  LIVE_DRAIN_MS: durationMs(5_000, { min: 0 }).describe(
    'Window over which clients are sent elsewhere at shutdown, so that they do not all come back in one moment.',
  ),
});
