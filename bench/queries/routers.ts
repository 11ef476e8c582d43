import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from '../../platform/free-port.ts';
import { findProgram } from '../../tests/helpers/programs.ts';
import { startNativeServer } from '../native.ts';
import { answers, until } from '../parts.ts';
import type { Target } from './loader.ts';
import { gatewayCore, type Stand } from './stand.ts';

const run = promisify(execFile);

interface Start {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** Router in Rust that is measured when its program is on the path. */
interface Router {
  readonly program: string;
  readonly name: string;
  /** Arguments by which it tells its version and ends. */
  readonly versionArgs?: readonly string[];
  readonly config: (ports: { port: number; healthPort: number }) => object;
  readonly start: (files: { sdlFile: string; configFile: string; port: number }) => Start;
}

const headers = { all: { request: [{ propagate: { named: 'accept-language' } }] } };
const routers: readonly Router[] = [
  {
    program: 'hive_router',
    name: 'Hive Router',
    config: () => ({ headers }),
    start: ({ sdlFile, configFile, port }) => ({
      args: [],
      env: {
        SUPERGRAPH_FILE_PATH: sdlFile,
        ROUTER_CONFIG_FILE_PATH: configFile,
        HOST: '127.0.0.1',
        PORT: String(port),
      },
    }),
  },
  {
    program: 'router',
    name: 'Apollo Router',
    versionArgs: ['--version'],
    config: ({ port, healthPort }) => ({
      headers,
      supergraph: { listen: `127.0.0.1:${port}`, path: '/graphql' },
      health_check: { listen: `127.0.0.1:${healthPort}` },
    }),
    start: ({ sdlFile, configFile }) => ({
      args: ['--supergraph', sdlFile, '--config', configFile],
      env: { APOLLO_TELEMETRY_DISABLED: 'true' },
    }),
  },
];

/** Starts each router whose program is on the path over a supergraph with addresses, and says so when there is none. */
export async function startRouters({ started, dataDir }: Stand, sdl: string): Promise<Target[]> {
  const targets: Target[] = [];
  for (const router of routers) {
    const path = findProgram(router.program);
    if (path === undefined) continue;
    const [port, healthPort] = [await freePort(), await freePort()];
    const sdlFile = join(dataDir, `${router.program}.graphql`);
    // JSON is YAML as well.
    const configFile = join(dataDir, `${router.program}.yaml`);
    await writeFile(sdlFile, sdl);
    await writeFile(configFile, JSON.stringify(router.config({ port, healthPort })));
    const { args, env } = router.start({ sdlFile, configFile, port });
    const server = started(startNativeServer(path, args, { env, cwd: dataDir, core: gatewayCore }));
    const url = `http://127.0.0.1:${port}/`;
    await until(router.name, () => answers(url, '{ me { id } }'));
    const version = router.versionArgs ? (await run(path, [...router.versionArgs])).stdout.trim() : '';
    targets.push({ id: 'router', name: `${router.name} ${version}`.trim(), url, server });
  }
  if (targets.length === 0)
    console.log(
      `No router is measured: ${routers.map(({ program }) => program).join(' and ')} are not on the path`,
    );
  return targets;
}
