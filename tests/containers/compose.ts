import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { rootDir } from '../../dev/settings.ts';

/** A service of a Compose file, as far as the tests look at it. */
export interface ComposeService {
  readonly image: string;
  readonly build?: { readonly context: string; readonly target: string };
  readonly init?: boolean;
  readonly user?: string;
  readonly restart: string;
  readonly profiles?: readonly string[];
  readonly entrypoint?: readonly string[];
  readonly command?: readonly string[];
  /** A setting without a value is taken from the environment of Compose. */
  readonly environment?: Readonly<Record<string, string | number | null>>;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly networks?: readonly string[];
  readonly network_mode?: string;
  readonly stop_grace_period?: string;
  readonly container_name?: string;
  readonly privileged?: boolean;
  readonly read_only?: boolean;
  readonly cap_add?: readonly string[];
  readonly cap_drop?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly dns_opt?: readonly string[];
  readonly tmpfs?: readonly string[];
  readonly logging?: { readonly driver: string; readonly options: Readonly<Record<string, string>> };
  readonly deploy?: {
    readonly resources: {
      readonly limits: { readonly cpus: string; readonly memory: string; readonly pids: number };
    };
  };
  readonly healthcheck?: { readonly test?: readonly string[]; readonly disable?: boolean };
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
}

/** The text of a file of the repository. */
export function readText(...path: string[]): Promise<string> {
  return readFile(join(rootDir, ...path), 'utf8');
}

/** The services of `docker-compose.yml` by their names, its volumes and its networks. */
export async function readCompose() {
  return parse(await readText('docker-compose.yml'), { merge: true }) as {
    services: Record<string, ComposeService>;
    volumes: Record<string, unknown>;
    networks: Record<string, { readonly internal?: boolean } | null>;
  };
}

/** Images that the Dockerfile makes, by their names in the Compose file. */
export const targetByImage: Readonly<Record<string, string>> = { portico: 'front', 'portico-shop': 'shop' };

/** The image that a target of the Dockerfile makes, on the base that is the default. */
export async function readImage(target: string) {
  const text = (await readText('Dockerfile')).replaceAll('\\\n', ' ');
  const stages = ['slim', 'run', target].map(name => stageOf(text, name));
  const argumentsOf = (instruction: string) =>
    stages.flatMap(stage =>
      [...stage.matchAll(new RegExp(`^${instruction} +(.+)$`, 'gm'))].map(([, rest = '']) => rest.trim()),
    );
  const env = argumentsOf('ENV').flatMap(line =>
    line.split(/ +/).map(pair => pair.split('=') as [string, string]),
  );
  return {
    baseImage: /^ARG NODE_IMAGE=(.+)$/m.exec(text)?.[1] ?? '',
    distrolessImage: /^ARG DISTROLESS_IMAGE=(.+)$/m.exec(text)?.[1] ?? '',
    env: Object.fromEntries(env),
    labels: argumentsOf('LABEL').flatMap(line =>
      [...line.matchAll(/org\.opencontainers\.image\.(\w+)=/g)].map(([, label]) => label),
    ),
    ports: argumentsOf('EXPOSE').flatMap(line => line.split(/ +/)),
    user: argumentsOf('USER').at(-1),
    command: JSON.parse(argumentsOf('CMD').at(-1) ?? '[]') as string[],
    entrypoint: JSON.parse(argumentsOf('ENTRYPOINT')[0] ?? '[]') as string[],
    healthcheck: argumentsOf('HEALTHCHECK')[0] ?? '',
    /** Folders and files of `dist/` that it has, without `dist/`. */
    programs: programsOf(text, target),
  };
}

function stageOf(dockerfile: string, name: string): string {
  const stages = dockerfile.split(/^(?=FROM )/m);
  const stage = stages.find(each => new RegExp(`^FROM .* AS ${name}$`, 'm').test(each));
  if (stage === undefined) throw new Error(`Dockerfile expected a stage ${name}, but has none`);
  return stage;
}

/** What the build copies for a target: `cp -r dist/a dist/b /front/dist/`. */
function programsOf(dockerfile: string, target: string): string[] {
  const copies = stageOf(dockerfile, 'build').matchAll(new RegExp(`cp -r ([^&]+?) /${target}/dist/`, 'g'));
  return [...copies].flatMap(([, sources = '']) =>
    sources.split(/ +/).map(source => source.replace('dist/', '')),
  );
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
