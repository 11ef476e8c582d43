import { accessSync, constants, statSync } from 'node:fs';
import * as z from 'zod';
import { messageOf } from './errors.ts';
import { type Environment, fileVariable, readSetting } from './setting.ts';

/** The environment does not describe a valid configuration; the message lists every bad key at once. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/**
 * Parses the environment once into a frozen, typed object whose keys are the environment's own names.
 * An empty value counts as unset, as it does in a Compose file. Each setting may stand in a file, which `<NAME>_FILE`
 * names, unless that is a setting itself.
 *
 * @throws ConfigError when any key is missing or invalid, or its file cannot be read
 */
export function loadConfig<S extends z.ZodObject>(settings: S, env: Environment): Readonly<z.infer<S>> {
  const given: Record<string, string> = {};
  const unread = new Map<PropertyKey, string>();
  for (const name of Object.keys(settings.shape))
    try {
      const value = fileVariable(name) in settings.shape ? env[name] : readSetting(name, env);
      if (value) given[name] = value;
    } catch (error) {
      unread.set(name, messageOf(error));
    }
  const parsed = settings.safeParse(given);
  const issues = [...(parsed.error?.issues ?? [])].filter(({ path: [name = ''] }) => !unread.has(name));
  for (const [name, message] of unread) issues.push({ code: 'custom', path: [name], message });
  if (!parsed.success || issues.length > 0)
    throw new ConfigError(`The environment is not valid.\n${z.prettifyError({ issues })}`);
  const config = Object.freeze(parsed.data);
  environmentByConfig.set(config, env);
  return config;
}

/** Environments that configurations were read from. */
const environmentByConfig = new WeakMap<object, Environment>();

/** The file that a setting was read from; undefined when the environment had its value itself. */
export function fileOfSetting(config: object, name: string): string | undefined {
  return environmentByConfig.get(config)?.[fileVariable(name)] || undefined;
}

/** A TCP port; 0 lets the system choose a free one. */
export function port(defaultPort: number) {
  return z.coerce.number().int().min(0).max(65_535).default(defaultPort);
}

/** A whole number within bounds. */
export function wholeNumber(defaultValue: number, { min = 0, max = Number.MAX_SAFE_INTEGER } = {}) {
  return z.coerce.number().int().min(min).max(max).default(defaultValue);
}

/** A duration in milliseconds. */
export function durationMs(defaultMs: number, { min = 1, max = 3_600_000 } = {}) {
  return wholeNumber(defaultMs, { min, max });
}

/** `true` or `false` (also 1/0, yes/no, on/off). */
export function flag(defaultValue: boolean) {
  return z.stringbool().or(z.boolean()).default(defaultValue);
}

/** As {@link flag}, without a default. */
export function optionalFlag() {
  return z.stringbool().or(z.boolean()).optional();
}

/** A comma-separated list; blanks around the items are dropped. */
export function commaSeparated(defaultItems: string[] = []) {
  return z
    .string()
    .transform(text =>
      text
        .split(',')
        .map(item => item.trim())
        .filter(Boolean),
    )
    .default(defaultItems);
}

/** An absolute URL with one of the given protocols. */
export function urlSetting(...protocols: string[]) {
  return z.string().refine(text => URL.canParse(text) && protocols.includes(new URL(text).protocol), {
    error: issue =>
      `expected a URL that begins with ${protocols.join(' or ')}//, but got ${withoutCredentials(String(issue.input))}`,
  });
}

/** Path of a file that can be read now. */
export function readableFile() {
  return z.string().refine(isReadable, {
    error: issue => `expected the path of a file that can be read, but got ${String(issue.input)}`,
  });
}

function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** As {@link urlSetting}, of an address that is asked without credentials in it. */
export function plainUrlSetting(...protocols: string[]) {
  return urlSetting(...protocols).refine(
    text => !URL.canParse(text) || (new URL(text).username === '' && new URL(text).password === ''),
    { error: 'expected a URL without a user and a password' },
  );
}

/** A URL for a message. */
function withoutCredentials(url: string): string {
  return url.replace(/\/\/[^/]*@/, '//…@');
}

/** Makes the check of settings that need another one: pairs of a setting and the one that has to be there with it. */
export function needsFit<Settings extends object>(
  needs: readonly (readonly [keyof Settings & string, keyof Settings & string])[],
): (payload: z.core.ParsePayload<Settings>) => void {
  return ({ value, issues }) => {
    for (const [name, needed] of needs)
      if (value[name] && !value[needed])
        issues.push({
          code: 'custom',
          input: undefined,
          path: [needed],
          message: `expected a value, because ${name} is set, but got none`,
        });
  };
}

/** Settings of every process; each process's own settings extend these. */
export const processSettings = z.object({
  HOST: z
    .string()
    .default('127.0.0.1')
    .describe('Address that the servers of this process bind; 0.0.0.0 in a container.'),
  ADVERTISED_HOST: z
    .string()
    .optional()
    .describe(
      'Host by which others reach this process; by default HOST, or the machine name when HOST is a wildcard.',
    ),
  MANAGEMENT_PORT: port(0).describe('Port of /actuator/*; 0 takes a free one and registers it.'),
  MANAGEMENT_TOKEN: z
    .string()
    .min(16)
    .optional()
    .describe(
      'Token of operators, for what changes a process or shows its internals at /actuator; without it that is closed, unless HOST is the machine itself.',
    ),
  LOG_LEVEL: z
    .enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'])
    .default('info')
    .describe('Least severe level that is logged.'),
  HTTP_HEADERS_TIMEOUT_MS: durationMs(20_000, { min: 100 }).describe(
    'Longest time that a client may take to send the headers of a request; then it is answered with 408. An unused connection is closed after it, too.',
  ),
  HTTP_REQUEST_TIMEOUT_MS: durationMs(60_000, { min: 100 }).describe(
    'Longest time that a client may take to send a whole request, with its body; then it is answered with 408.',
  ),
  SHUTDOWN_TIMEOUT_MS: durationMs(10_000).describe(
    'How long a graceful shutdown may take before the process exits with what is left undone.',
  ),
});

/** Settings of every process; see {@link processSettings}. */
export type ProcessConfig = z.infer<typeof processSettings>;
