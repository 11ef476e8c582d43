import * as z from 'zod';
import { commaSeparated, durationMs, wholeNumber } from '../../platform/config.ts';

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

/** Settings of requests to subgraphs, and of what of the answers goes on to clients. */
export const routingSettings = z.object({
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
