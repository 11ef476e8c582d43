import * as z from 'zod';
import { durationMs, needsFit, readableFile } from '../config.ts';
import { messageOf } from '../errors.ts';
import { readTlsMaterial } from './material.ts';

/** Settings of a process that serves over TLS. {@link tlsSettingsFit} checks that they fit together. */
export const tlsSettings = z.object({
  TLS_CERT_FILE: readableFile()
    .optional()
    .describe(
      'Certificate (PEM) with which clients are served over TLS, by HTTP/2 or HTTP/1.1, the chain behind it; with TLS_KEY_FILE. Without it they are served without TLS.',
    ),
  TLS_KEY_FILE: readableFile().optional().describe('Private key (PEM) of that certificate.'),
  TLS_CLIENT_CA_FILE: readableFile()
    .optional()
    .describe('Certificates (PEM) that sign those of clients; with it, who has none is refused.'),
  TLS_RELOAD_INTERVAL_MS: durationMs(10_000, { min: 100 }).describe(
    'How often these files are looked at for renewed ones.',
  ),
});
export type TlsConfig = z.infer<typeof tlsSettings>;

type Settings = { readonly [name in keyof TlsConfig]: TlsConfig[name] };

/** A check that the files are named together. */
const areTogether = needsFit<Settings>([
  ['TLS_CERT_FILE', 'TLS_KEY_FILE'],
  ['TLS_KEY_FILE', 'TLS_CERT_FILE'],
  ['TLS_CLIENT_CA_FILE', 'TLS_CERT_FILE'],
]);

/** A check of a process's settings: the files are there together, can be read, and belong together. */
export const tlsSettingsFit: z.core.CheckFn<Settings> = payload => {
  const { value, issues } = payload;
  const before = issues.length;
  areTogether(payload);
  if (issues.length > before) return;
  try {
    readTlsMaterial(value);
  } catch (error) {
    issues.push({ code: 'custom', message: messageOf(error), input: value, path: [] });
  }
};
