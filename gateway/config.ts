import * as z from 'zod';
import { commaSeparated, durationMs, flag, port, urlSetting, wholeNumber } from '../platform/config.ts';
import { systemSettings } from '../platform/system.ts';

/** Settings of the gateway process. */
export const gatewaySettings = systemSettings.extend({
  GATEWAY_PORT: port(4000).describe('Port of /graphql, over HTTP and WebSocket, and of the explorers.'),
  JWT_JWKS_URL: urlSetting('https:', 'http:', 'file:')
    .optional()
    .describe(
      "Keys (JWKS) that sign clients' tokens: an address of the issuer, or a file. Without it no token is accepted.",
    ),
  JWT_ISSUER: z.string().optional().describe("Value that a token's `iss` must have."),
  JWT_AUDIENCE: z.string().optional().describe("Value that a token's `aud` must contain."),
  SUBGRAPH_TIMEOUT_MS: durationMs(10_000).describe('Longest time of one fetch from a subgraph.'),
  SUBGRAPH_CONNECTIONS: wholeNumber(128, { min: 1, max: 10_000 }).describe(
    'Most connections to one instance of a subgraph.',
  ),
  SUBGRAPH_REMOVAL_GRACE_MS: durationMs(10_000, { min: 0 }).describe(
    'How long a subgraph without an instance stays in the graph; its fields answer null with an error meanwhile.',
  ),
  CORS_ORIGINS: commaSeparated([]).describe(
    'Origins of web pages that may use the graph, comma-separated; * for all. Apollo Sandbox is served from here and needs none.',
  ),
  EXPLORERS: flag(true).describe('Whether Apollo Sandbox is served at / and Altair at /ide.'),
  EXPLORER_AUTHORIZATION: z
    .string()
    .optional()
    .describe('Authorization header that the explorers send by themselves; for development only.'),
  EXPLORER_DOCUMENT_FILE: z
    .string()
    .optional()
    .describe('File of operations that the explorers show at first.'),
});
export type GatewayConfig = z.infer<typeof gatewaySettings>;
