import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { logToFiles } from '../../dev/logs.ts';
import { rootDir } from '../../dev/settings.ts';
import { findProgram } from '../helpers/programs.ts';

/** Folder of the program in a cage, in which nothing can be written. */
const appDir = '/mnt';
/** Folder in place of `/data`, which a machine need not have. */
export const dataDirInCage = '/srv';

/** What a container of the chart may do: read everything, write to two folders, run as 1000 without any capability. */
const enter = `set -e
mount --bind "$CAGE_ROOT" ${appDir}
mount --bind "$CAGE_HOSTS" /etc/hosts
mount -t tmpfs -o mode=1777 tmp /tmp
mount -t tmpfs -o mode=1777 data ${dataDirInCage}
mount -o remount,bind,ro ${appDir}
mount -o remount,bind,ro /
cd ${appDir}
exec setpriv --reuid=1000 --regid=1000 --clear-groups --inh-caps=-all --bounding-set=-all --no-new-privs \\
  "$CAGE_NODE" --enable-source-maps "$@"`;
const program = ['--mount', '--propagation', 'private', 'sh', '-c', enter, 'sh'];

/** Says why this machine can make no cage; undefined where it can. */
export function cageFault(): string | undefined {
  if (!findProgram('unshare') || !findProgram('setpriv')) return 'unshare or setpriv is not installed';
  try {
    const env = { ...process.env, ...cageEnv('/dev/null') };
    execFileSync('unshare', [...program, '--eval', '0'], { env, stdio: 'pipe' });
    return undefined;
  } catch (error) {
    return String((error as { stderr?: unknown }).stderr ?? error).trim();
  }
}

function cageEnv(hostsFile: string): Record<string, string> {
  return { CAGE_ROOT: rootDir, CAGE_HOSTS: hostsFile, CAGE_NODE: process.execPath };
}

/** A process in a cage. */
export interface Caged {
  /** Exit code of the process, or the signal that ended it. */
  readonly ended: Promise<number | string>;
  stop(signal: NodeJS.Signals): Promise<number | string>;
}

/** Starts containers of the chart as processes of this machine, each with an address of its own. */
export interface Cages {
  run(name: string, args: readonly string[], env: Readonly<Record<string, string>>): Caged;
  /** Kills what still runs. */
  close(): Promise<void>;
}

/** Makes cages whose logs are kept in a folder. @param addressByHost names that are known in all of them */
export async function createCages(
  folder: string,
  addressByHost: Readonly<Record<string, string>>,
): Promise<Cages> {
  const hosts = Object.entries({ localhost: '127.0.0.1', ...addressByHost });
  const hostsFile = join(folder, 'hosts');
  await writeFile(hostsFile, hosts.map(([host, address]) => `${address} ${host}\n`).join(''));
  const onLine = logToFiles(folder);
  const children = new Set<ChildProcess>();
  return {
    run(name, args, env) {
      const { PATH = '' } = process.env;
      const child = spawn('unshare', [...program, ...args], {
        env: { PATH, ...cageEnv(hostsFile), ...env },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      for (const stream of [child.stdout, child.stderr])
        stream.on('data', data => onLine(name, String(data).trimEnd()));
      children.add(child);
      const ended = once(child, 'close').then(([code, signal]: (number | string)[]) => {
        children.delete(child);
        return code ?? signal ?? '';
      });
      return {
        ended,
        stop(signal) {
          child.kill(signal);
          return ended;
        },
      };
    },
    async close() {
      const left = [...children].map(child => once(child, 'close'));
      for (const child of children) child.kill('SIGKILL');
      await Promise.all(left);
    },
  };
}
