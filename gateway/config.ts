import { join } from 'node:path';
import * as z from 'zod';
import {
  commaSeparated,
  durationMs,
  flag,
  optionalFlag,
  plainUrlSetting,
  port,
  urlSetting,
  wholeNumber,
} from '../platform/config.ts';
import { systemSettings } from '../platform/system.ts';
import { tlsSettingsFit } from '../platform/tls/settings.ts';
import { listenerSettings, listenerSettingsFit } from './listener/settings.ts';

/** Algorithms of RFC 7518 and RFC 8037 whose keys only the issuer has. */
const asymmetricAlgorithms = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
];

/** Limits of one subgraph where they differ from those of all. */
const subgraphLimits = z.strictObject({
  timeoutMs: z.number().int().min(1).max(3_600_000).optional(),
  connections: z.number().int().min(1).max(10_000).optional(),
  maxConcurrent: z.number().int().min(1).max(100_000).optional(),
});

const subgraphLimitsByName = z
  .string()
  .default('{}')
  .transform((text, context) => {
    try {
      return JSON.parse(text) as unknown;
    } catch {
      context.addIssue({ code: 'custom', message: `expected JSON, but got ${text.slice(0, 100)}` });
      return z.NEVER;
    }
  })
  .pipe(z.record(z.string(), subgraphLimits));

const supergraphSettings = z.object({
  GATEWAY_DATA_DIR: z
    .string()
    .default(join('.portico', 'gateway'))
    .describe('Folder of the launch history and the last good SDLs, by which a restart serves at once.'),
  SUBGRAPH_REMOVAL_GRACE_MS: durationMs(10_000, { min: 0 }).describe(
    'How long a subgraph whose last instance deregistered stays in the graph. One that is lost without a word stays.',
  ),
  SDL_POLL_INTERVAL_MS: durationMs(10_000).describe(
    'How often an instance that registers no schema.hash is asked for its SDL.',
  ),
  LAUNCH_POLICY_FILE: z
    .string()
    .optional()
    .describe(
      'File of JSON that says which application may serve which subgraph, which subgraph owns which types, and what waits for approval; read again when it changes. Without it, everything that composes is served.',
    ),
  AUTHORIZATION_POLICIES_FILE: z
    .string()
    .optional()
    .describe(
      'File with the rules of `@policy` in JSON; without it, nobody may have what asks for a policy.',
    ),
  AUTHORIZATION_POLICIES_URL: plainUrlSetting('https:', 'http:')
    .optional()
    .describe(
      'Address that decides `@policy` for a caller: POST {"caller":{"id","scopes"},"policies":[…]} is answered with {"granted":[…]}.',
    ),
  AUTHORIZATION_POLICIES_TTL_MS: durationMs(60_000).describe('How long such a decision is good.'),
  AUTHORIZATION_POLICIES_TIMEOUT_MS: durationMs(2_000).describe(
    'Longest time of one such decision; without one, nothing is granted.',
  ),
  AUTHORIZATION_REJECTS: flag(false).describe(
    'Whether an operation with a field that its caller may not have is refused as a whole; otherwise the field is null.',
  ),
  QUERY_PLAN_CACHE_SIZE: wholeNumber(2_000, { min: 1, max: 1_000_000 }).describe(
    'Query plans that are kept.',
  ),
});

const routingSettings = z.object({
  SUBGRAPH_TIMEOUT_MS: durationMs(10_000).describe('Longest time of one fetch from a subgraph.'),
  SUBGRAPH_CONNECTIONS: wholeNumber(128, { min: 1, max: 10_000 }).describe(
    'Most connections to one instance of a subgraph.',
  ),
  SUBGRAPH_MAX_CONCURRENT: wholeNumber(500, { min: 1, max: 100_000 }).describe(
    'Most fetches of one subgraph at once; further ones fail at once.',
  ),
  SUBGRAPH_LIMITS: subgraphLimitsByName.describe(
    'Limits of single subgraphs as JSON: {"orders":{"timeoutMs":5000,"connections":50,"maxConcurrent":100}}.',
  ),
  SUBGRAPH_MAX_RESPONSE_BYTES: wholeNumber(67_108_864, { min: 1_024, max: 1_073_741_824 }).describe(
    'Largest answer of a subgraph to one fetch; a larger one is an error.',
  ),
  SUBGRAPH_ACCEPT_ENCODING: z
    .string()
    .regex(/^[\w ,;=.*-]+$/)
    .optional()
    .describe(
      'Encodings that subgraphs may compress their answers with, as `gzip, br`; none when it is unset.',
    ),
  SUBGRAPH_BREAKER_FAILURE_RATE_PERCENT: wholeNumber(50, { min: 1, max: 100 }).describe(
    "Share of failed fetches that opens a subgraph's circuit breaker.",
  ),
  SUBGRAPH_BREAKER_MINIMUM_CALLS: wholeNumber(20, { min: 1, max: 10_000 }).describe(
    'Fewest fetches in the window before the share counts.',
  ),
  SUBGRAPH_BREAKER_WINDOW_MS: durationMs(10_000).describe('Length of the window.'),
  SUBGRAPH_BREAKER_OPEN_MS: durationMs(5_000).describe(
    'Time that a breaker stays open before one fetch may try.',
  ),
  QUERY_PLAN_SECRET: z
    .string()
    .min(4)
    .optional()
    .describe(
      'Value of the header apollo-expose-query-plan with which an operator gets the query plan and its fetches in extensions.queryPlan; nobody does when it is unset.',
    ),
  DEDUPLICATION_EXCLUDED_SUBGRAPHS: commaSeparated([]).describe(
    'Subgraphs whose answers are for one request only, comma-separated; * for all. Of the others, equal queries of equal callers that are under way at the same time share one execution.',
  ),
  SUBGRAPH_ERRORS: z
    .enum(['pass', 'mask'])
    .default('pass')
    .describe(
      "Whether clients see what subgraphs' errors say, or only where they were and their code; the log has the rest.",
    ),
  SUBGRAPH_EXTENSIONS_TO_CLIENTS: commaSeparated([]).describe(
    "Names of the extensions of subgraphs' answers that go on to clients, under the subgraph's name, comma-separated.",
  ),
  HEADERS_TO_SUBGRAPHS: commaSeparated(['traceparent', 'tracestate', 'baggage', 'accept-language']).describe(
    "Headers of a client's request that go on to subgraphs, comma-separated; nothing else does.",
  ),
  HEADERS_TO_CLIENTS: commaSeparated(['set-cookie', 'cache-control']).describe(
    "Headers of subgraphs' answers that go on to clients, comma-separated; of cache-control the strictest.",
  ),
});

const liveSettings = z.object({
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

const frontSettings = z.object({
  GATEWAY_PORT: port(4000).describe('Port of /graphql, over HTTP and WebSocket, and of the explorers.'),
  GATEWAY_MAX_CONCURRENT_REQUESTS: wholeNumber(1_000, { min: 1, max: 1_000_000 }).describe(
    'Requests to /graphql under way at once; further ones are answered with 503 at once.',
  ),
  OPERATION_MAX_DEPTH: wholeNumber(50, { min: 1, max: 10_000 }).describe(
    'Most fields within each other in an operation of a client, with its fragments.',
  ),
  OPERATION_MAX_HEIGHT: wholeNumber(2_000, { min: 1, max: 1_000_000 }).describe(
    'Most fields of an operation, with its fragments as often as they are spread.',
  ),
  OPERATION_MAX_ALIASES: wholeNumber(100, { min: 0, max: 1_000_000 }).describe(
    'Most aliases of an operation, with its fragments as often as they are spread.',
  ),
  OPERATION_MAX_ROOT_FIELDS: wholeNumber(50, { min: 1, max: 1_000_000 }).describe(
    'Most fields of the root type that an operation asks for.',
  ),
  OPERATION_MAX_DIRECTIVES: wholeNumber(200, { min: 0, max: 1_000_000 }).describe(
    'Most directives of an operation, with its fragments as often as they are spread.',
  ),
  OPERATION_MAX_VARIABLE_DEPTH: wholeNumber(20, { min: 1, max: 1_000 }).describe(
    'Most objects and lists within each other in the variables of an operation.',
  ),
  OPERATION_MAX_VARIABLE_VALUES: wholeNumber(10_000, { min: 1, max: 10_000_000 }).describe(
    'Most values in the variables of an operation, those in objects and lists too.',
  ),
  OPERATION_MAX_ERRORS: wholeNumber(1_000, { min: 1, max: 1_000_000 }).describe(
    'Most errors in one answer; one more says how many are left out.',
  ),
  OPERATION_MAX_ANSWER_BYTES: wholeNumber(67_108_864, { min: 1_024, max: 536_870_912 }).describe(
    'Largest answer to an operation; a larger one is an error instead.',
  ),
  OPERATION_TIMEOUT_MS: durationMs(60_000).describe('Longest time from a query or mutation to its answer.'),
  OPERATION_MAX_REQUEST_BYTES: wholeNumber(1_048_576, { min: 1_024, max: 104_857_600 }).describe(
    'Largest body of a request, with the document and its variables.',
  ),
  PERSISTED_OPERATIONS_FILE: z
    .string()
    .optional()
    .describe(
      "Manifest of the clients' operations, of Apollo's or Relay's format; clients may send their ids alone.",
    ),
  PERSISTED_OPERATIONS_MODE: z
    .enum(['off', 'log', 'enforce'])
    .default('off')
    .describe('Whether operations that are not in the manifest run, are logged, or are refused.'),
  RATE_LIMIT_CALLER_PER_MINUTE: wholeNumber(0, { min: 0, max: 100_000_000 }).describe(
    'Most operations of a caller with a token in a minute, at each gateway without REDIS_URL; 0 for any number.',
  ),
  RATE_LIMIT_ADDRESS_PER_MINUTE: wholeNumber(0, { min: 0, max: 100_000_000 }).describe(
    'Most operations without a token from an address in a minute, at each gateway without REDIS_URL; 0 for any number.',
  ),
  RATE_LIMIT_CALLER_COST_PER_MINUTE: wholeNumber(0, { min: 0, max: 1_000_000_000_000 }).describe(
    'Most that the operations of a caller with a token may cost in a minute; 0 for any cost.',
  ),
  RATE_LIMIT_ADDRESS_COST_PER_MINUTE: wholeNumber(0, { min: 0, max: 1_000_000_000_000 }).describe(
    'Most that the operations without a token from an address may cost in a minute; 0 for any cost.',
  ),
  REDIS_URL: urlSetting('redis:', 'rediss:')
    .optional()
    .describe(
      'Redis in which several gateways share the counts of rate limits and cost budgets, and automatic persisted queries; without it, each gateway has its own.',
    ),
  GATEWAY_TRUSTED_PROXIES: commaSeparated([]).describe(
    'Addresses and networks of proxies whose x-forwarded-for is believed, comma-separated; loopback and uniquelocal name those.',
  ),
  OPERATION_MAX_COST: wholeNumber(100_000, { min: 0, max: 1_000_000_000 }).describe(
    'Largest estimated cost of an operation: 1 an object, unless `@cost` and `@listSize` say otherwise; 0 for any.',
  ),
  OPERATION_DEFAULT_LIST_SIZE: wholeNumber(10, { min: 1, max: 1_000_000 }).describe(
    'Items that a list is estimated to have of which `@listSize` says nothing.',
  ),
  OPERATION_COST_MEASURE_ONLY: flag(false).describe(
    'Whether operations that cost too much, by themselves or with others, are only counted, and run all the same.',
  ),
  JWT_JWKS_URL: commaSeparated([])
    .pipe(z.array(urlSetting('https:', 'http:', 'file:')))
    .describe(
      "Keys (JWKS) that sign clients' tokens: an address of the issuer, or a file; several, comma-separated, for several issuers. Without it no token is accepted.",
    ),
  JWT_ISSUER: commaSeparated([]).describe(
    "Values that a token's `iss` may have, comma-separated; one for each of several JWT_JWKS_URL, in the same order.",
  ),
  JWT_AUDIENCE: commaSeparated([]).describe(
    "Values of which a token's `aud` must have one, comma-separated.",
  ),
  JWT_ALGORITHMS: commaSeparated(asymmetricAlgorithms).describe(
    'Algorithms that may sign a token, comma-separated.',
  ),
  JWT_CLOCK_TOLERANCE_SECONDS: wholeNumber(5, { max: 300 }).describe(
    "Seconds by which the issuer's clock may differ from this one.",
  ),
  JWT_DENY_LIST_URL: plainUrlSetting('https:', 'http:', 'file:')
    .optional()
    .describe(
      'List of tokens that are not accepted any more, as JSON: [{"jti":"…"},{"sub":"…","issuedBefore":seconds}]; an address, or a file.',
    ),
  JWT_DENY_LIST_INTERVAL_MS: durationMs(10_000).describe('How often that list is read.'),
  NODE_ENV: z
    .string()
    .default('development')
    .describe('With `production`, what shows the schema is off unless it is turned on.'),
  INTROSPECTION: optionalFlag().describe(
    'Whether clients may read the schema, and errors of validation suggest names of it; the explorers need it. By default they may unless NODE_ENV is production.',
  ),
  EXPLORERS: optionalFlag().describe(
    'Whether Apollo Sandbox is served at / and GraphiQL, which needs no internet, at /ide/. By default they are unless NODE_ENV is production.',
  ),
  EXPLORER_AUTHORIZATION: z
    .string()
    .optional()
    .describe('Authorization header that the explorers send by themselves; for development only.'),
  EXPLORER_DOCUMENT_FILE: z
    .string()
    .optional()
    .describe('File of operations that the explorers show at first.'),
});

/** Settings of the gateway process. */
export const gatewaySettings = systemSettings
  .extend({
    ...frontSettings.shape,
    ...listenerSettings.shape,
    ...supergraphSettings.shape,
    ...routingSettings.shape,
    ...liveSettings.shape,
  })
  .check(tlsSettingsFit, listenerSettingsFit);
export type GatewayConfig = z.infer<typeof gatewaySettings>;

/** Tells whether something is shown that production shows only when its setting says so. */
export function isShown(
  setting: boolean | undefined,
  { NODE_ENV }: Pick<GatewayConfig, 'NODE_ENV'>,
): boolean {
  return setting ?? NODE_ENV !== 'production';
}
