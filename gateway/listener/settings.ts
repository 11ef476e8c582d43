import * as z from 'zod';
import { commaSeparated, flag } from '../../platform/config.ts';
import { tlsSettings } from '../../platform/tls/settings.ts';

/** As browsers write one: a scheme, a host, and a port that is not the scheme's own. */
const originForm = /^[a-z][a-z\d+.-]*:\/\/[^\s/?#@]+$/;

/** Settings of the listener for clients: over what it is reached, and from which pages. */
export const listenerSettings = z.object({
  ...tlsSettings.shape,
  CORS_ORIGINS: commaSeparated([])
    .refine(origins => origins.every(origin => origin === '*' || originForm.test(origin)), {
      error: issue =>
        `expected origins such as https://shop.example, in lower case and with nothing behind the host and port, but got ${String(issue.input)}`,
    })
    .describe(
      'Origins of web pages that may use the graph, comma-separated; * for all. Apollo Sandbox is served from here and needs none.',
    ),
  CORS_CREDENTIALS: flag(false).describe(
    'Whether pages of CORS_ORIGINS may send cookies and read the answers; then * is not allowed there.',
  ),
  JWT_COOKIE: z
    .string()
    .regex(/^[\w!#$%&'*+.^`|~-]+$/)
    .optional()
    .describe(
      "Name of a cookie with the client's token, for requests without the header Authorization; pages that are neither of this host nor of CORS_ORIGINS may not use it.",
    ),
});

interface Settings extends z.infer<typeof listenerSettings> {
  readonly JWT_JWKS_URL: readonly string[];
}

/** A check of the gateway's settings: who may send credentials is named one by one, and there is something to check tokens with. */
export const listenerSettingsFit: z.core.CheckFn<Settings> = ({ value, issues }) => {
  const refuse = (name: keyof Settings, message: string) =>
    issues.push({ code: 'custom', input: value[name], path: [name], message });
  if (value.CORS_CREDENTIALS && value.CORS_ORIGINS.length === 0)
    refuse('CORS_ORIGINS', 'expected origins, because CORS_CREDENTIALS is set, but got none');
  if (value.CORS_CREDENTIALS && value.CORS_ORIGINS.includes('*'))
    refuse('CORS_ORIGINS', 'expected each origin by its name, because CORS_CREDENTIALS is set, but got *');
  if (value.JWT_COOKIE !== undefined && value.JWT_JWKS_URL.length === 0)
    refuse('JWT_JWKS_URL', 'expected keys, because JWT_COOKIE is set, but got none');
};
