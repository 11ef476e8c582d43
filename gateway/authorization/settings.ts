import * as z from 'zod';
import { durationMs, flag, plainUrlSetting } from '../../platform/config.ts';

/** Settings of what callers may have of the graph. */
export const authorizationSettings = z.object({
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
});
