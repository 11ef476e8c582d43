import * as z from 'zod';
import {
  commaSeparated,
  durationMs,
  flag,
  plainUrlSetting,
  urlSetting,
  wholeNumber,
} from '../../platform/config.ts';

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

/** Settings of what clients may send, how much of it, and who they are. */
export const securitySettings = z.object({
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
});
