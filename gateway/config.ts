import * as z from 'zod';
import { optionalFlag, port, wholeNumber } from '../platform/config.ts';
import { systemSettings } from '../platform/system.ts';
import { tlsSettingsFit } from '../platform/tls/settings.ts';
import { authorizationSettings } from './authorization/settings.ts';
import { listenerSettings, listenerSettingsFit } from './listener/settings.ts';
import { routingSettings } from './routing/settings.ts';
import { securitySettings } from './security/settings.ts';
import { liveSettings } from './subscriptions/settings.ts';
import { supergraphSettings } from './supergraph/settings.ts';

/** Settings of the gateway process. */
export const gatewaySettings = systemSettings
  .extend({
    GATEWAY_PORT: port(4000).describe('Port of /graphql, over HTTP and WebSocket, and of the explorers.'),
    GATEWAY_MAX_CONCURRENT_REQUESTS: wholeNumber(1_000, { min: 1, max: 1_000_000 }).describe(
      'Requests to /graphql under way at once; further ones are answered with 503 at once.',
    ),
    ...securitySettings.shape,
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
    ...listenerSettings.shape,
    ...supergraphSettings.shape,
    ...authorizationSettings.shape,
    QUERY_PLAN_CACHE_SIZE: wholeNumber(2_000, { min: 1, max: 1_000_000 }).describe(
      'Query plans that are kept.',
    ),
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
