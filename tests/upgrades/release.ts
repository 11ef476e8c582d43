import { execFile } from 'node:child_process';
import { chmod, mkdtemp, readFile, realpath, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { rootDir } from '../../dev/settings.ts';
import type { startSystem } from '../../dev/system.ts';

const run = promisify(execFile);

/** An earlier state of the sources, compiled in a folder of its own. */
export interface Release {
  /** Starts a system of its processes, by its own code. */
  readonly startSystem: typeof startSystem;
  remove(): Promise<void>;
}

async function git(...args: string[]): Promise<string> {
  const { stdout } = await run('git', args, { cwd: rootDir });
  return stdout.trim();
}

/** The commit to upgrade from: that of `UPGRADE_FROM`, or of the last tag before this one; undefined when there is neither. */
export async function findEarlierRef(): Promise<string | undefined> {
  const ref = process.env['UPGRADE_FROM'];
  if (!ref) return git('describe', '--tags', '--abbrev=0', 'HEAD^').catch(() => undefined);
  return git('rev-parse', '--verify', '--quiet', `${ref}^{commit}`).catch(() => {
    throw new Error(`UPGRADE_FROM expected a commit of this repository, but is '${ref}'`);
  });
}

/** Takes the sources of a commit out of the repository, and compiles them. */
export async function checkOut(ref: string): Promise<Release> {
  const folder = await mkdtemp(join(tmpdir(), 'portico-release-'));
  const remove = () => rm(folder, { recursive: true, force: true });
  try {
    // PostgreSQL, which does not run as root, may be in it.
    await chmod(folder, 0o755);
    const archive = join(folder, 'sources.tar');
    await git('archive', '--output', archive, ref);
    await run('tar', ['-xf', archive, '-C', folder]);
    await rm(archive);
    await install(folder);
    const system = pathToFileURL(join(folder, 'dev', 'system.ts')).href;
    return { ...((await import(/* @vite-ignore */ system)) as Pick<Release, 'startSystem'>), remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** Gives it the packages of this folder when it names the same, its own otherwise, and compiles it. */
async function install(folder: string): Promise<void> {
  const [mine, its] = await Promise.all(
    [rootDir, folder].map(each => readFile(join(each, 'package-lock.json'), 'utf8')),
  );
  const options = { cwd: folder, maxBuffer: 64 * 1024 * 1024 };
  if (mine === its) {
    await symlink(await realpath(join(rootDir, 'node_modules')), join(folder, 'node_modules'));
    await run('npm', ['run', 'prepare'], options);
    return;
  }
  // It also runs `prepare`.
  await run('npm', ['ci', '--no-audit', '--no-fund', '--no-update-notifier'], options);
}
