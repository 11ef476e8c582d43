import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { rootDir } from '../../dev/settings.ts';

/** A service of the Compose file, as far as the tests look at it. */
export interface ComposeService {
  readonly image: string;
  readonly build?: string;
  readonly init?: boolean;
  readonly restart: string;
  readonly entrypoint?: readonly string[];
  readonly command?: readonly string[];
  /** A setting without a value is taken from the environment of Compose. */
  readonly environment?: Readonly<Record<string, string | number | null>>;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly stop_grace_period?: string;
  readonly container_name?: string;
  readonly healthcheck?: { readonly test?: readonly string[]; readonly disable?: boolean };
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
}

/** The text of a file of the repository. */
export function readText(...path: string[]): Promise<string> {
  return readFile(join(rootDir, ...path), 'utf8');
}

/** The services of `docker-compose.yml` by their names. */
export async function readCompose() {
  const { services, volumes } = parse(await readText('docker-compose.yml'), { merge: true }) as {
    services: Record<string, ComposeService>;
    volumes: Record<string, unknown>;
  };
  return { services, volumes };
}

/** The last stage of the Dockerfile. */
export async function readImage() {
  const text = (await readText('Dockerfile')).replaceAll('\\\n', ' ');
  const lastStage = text.slice(text.lastIndexOf('\nFROM '));
  const argumentsOf = (instruction: string) =>
    [...lastStage.matchAll(new RegExp(`^${instruction} +(.+)$`, 'gm'))].map(([, rest = '']) => rest.trim());
  const env = argumentsOf('ENV').flatMap(line =>
    line.split(/ +/).map(pair => pair.split('=') as [string, string]),
  );
  return {
    baseImage: /^ARG NODE_IMAGE=(.+)$/m.exec(text)?.[1] ?? '',
    env: Object.fromEntries(env),
    ports: argumentsOf('EXPOSE').flatMap(line => line.split(/ +/)),
    user: argumentsOf('USER').at(-1),
    command: JSON.parse(argumentsOf('CMD')[0] ?? '[]') as string[],
    entrypoint: JSON.parse(argumentsOf('ENTRYPOINT')[0] ?? '[]') as string[],
    healthcheck: argumentsOf('HEALTHCHECK')[0] ?? '',
    copied: argumentsOf('COPY'),
  };
}

/** Puts values in for `${NAME}`, `${NAME:-default}` and `${NAME:?message}`, as Compose does. */
export function interpolate(text: string, values: Readonly<Record<string, string>>): string {
  return text.replace(/\$\{(\w+)(?::-([^}]*)|:\?[^}]*)?\}/g, (_all, name: string, fallback = '') =>
    values[name] ? values[name] : fallback,
  );
}

/** Names of the variables that a text of the Compose file takes from the environment. */
export function variablesIn(text: string): Set<string> {
  return new Set([...text.matchAll(/\$\{(\w+)/g)].map(([, name = '']) => name));
}
