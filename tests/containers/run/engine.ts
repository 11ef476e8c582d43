import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, open, rm, symlink } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { rootDir } from '../../../dev/settings.ts';
import { findProgram } from '../../helpers/programs.ts';

const startTimeoutMs = 60_000;

/** Docker's engine, with images of its own. */
export interface Engine {
  /** Leads Docker's command line to it. */
  readonly env: Readonly<Record<string, string>>;
  /** Runs `docker` with these arguments. @returns what it prints. @throws Error with what it printed */
  docker(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<string>;
  /** Ends it, and removes all that it has. Its containers must have ended. */
  close(): Promise<void>;
}

/** Reason why containers cannot be run here; undefined where they can. */
export function missingForContainers(): string | undefined {
  if (process.getuid?.() !== 0) return 'only root can start an engine of its own';
  const programs = ['docker', 'dockerd', 'debootstrap', 'docker-registry'].filter(name => !findProgram(name));
  if (programs.length > 0)
    return `${programs.join(', ')} are not installed (apt-get install docker.io debootstrap docker-registry)`;
  const plugins = ['docker-buildx', 'docker-compose'].filter(name => !findPlugin(name));
  return plugins.length > 0 ? `Docker's plugins ${plugins.join(', ')} are not installed` : undefined;
}

/** Path of a plugin of Docker's command line, undefined where it is not installed. */
export function findPlugin(name: string): string | undefined {
  const folders = [
    join(process.env['DOCKER_CONFIG'] ?? join(homedir(), '.docker'), 'cli-plugins'),
    ...['/usr/local/lib', '/usr/local/libexec', '/usr/lib', '/usr/libexec'].map(
      path => `${path}/docker/cli-plugins`,
    ),
  ];
  return findProgram(name, folders) ?? findProgram(name);
}

/**
 * Starts Docker's engine with data of its own in a folder. It needs root.
 *
 * @throws Error with its last words when it does not answer in time
 */
export async function startEngine(folder: string): Promise<Engine> {
  const socket = join(folder, 'docker.sock');
  const logFile = join(folder, 'dockerd.log');
  const plugins = join(folder, 'config', 'cli-plugins');
  await mkdir(plugins, { recursive: true });
  for (const name of ['docker-buildx', 'docker-compose'])
    await symlink(findPlugin(name) ?? '', join(plugins, name));
  const log = await open(logFile, 'w');
  const data = ['--data-root', join(folder, 'data'), '--exec-root', join(folder, 'exec')];
  const daemon = ['dockerd', ...data, '--pidfile', join(folder, 'pid'), '--host', `unix://${socket}`];
  // It ends its containers and itself when the tests are killed.
  const child = spawn('setpriv', ['--pdeathsig', 'TERM', ...daemon], { stdio: ['ignore', log.fd, log.fd] });
  const exited = once(child, 'exit').then(([code]) => `it ended with ${code}`);

  const engineEnv = { DOCKER_HOST: `unix://${socket}`, DOCKER_CONFIG: join(folder, 'config') };
  const docker: Engine['docker'] = async (args, env = {}) => {
    const { stdout } = await promisify(execFile)('docker', args as string[], {
      cwd: rootDir,
      env: { ...process.env, ...engineEnv, ...env },
      maxBuffer: 64 * 1024 * 1024,
    });
    return stdout;
  };
  const close = async () => {
    child.kill('SIGTERM');
    await exited;
    await log.close();
    await rm(folder, { recursive: true, force: true });
  };
  const failure = await Promise.race([exited, untilItAnswers(() => docker(['version']))]);
  if (failure === undefined) return { env: engineEnv, docker, close };
  const { stdout } = await promisify(execFile)('tail', ['-n', '5', logFile]);
  child.kill('SIGTERM');
  await log.close();
  throw new Error(`Docker's engine did not start: ${failure}\n${stdout}`);
}

async function untilItAnswers(ask: () => Promise<unknown>): Promise<string | undefined> {
  for (const deadline = Date.now() + startTimeoutMs; Date.now() < deadline; await delay(250))
    if (
      await ask().then(
        () => true,
        () => false,
      )
    )
      return undefined;
  return `it did not answer within ${startTimeoutMs} ms`;
}
