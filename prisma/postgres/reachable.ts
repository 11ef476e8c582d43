import {
  chmod,
  copyFile,
  mkdir,
  mkdtemp,
  readdir,
  readlink,
  rename,
  rm,
  stat,
  symlink,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Account } from './account.ts';
import type { PostgresBinaries } from './binaries.ts';
import { exists, removeEmptyFolder } from './cluster.ts';

/** Folder for what the account of PostgreSQL can't reach elsewhere: the place of services' data in the FHS. */
const stateDir = '/var/lib/portico';

/** Characters in a path that a shell reads as something else, also within the quotes that initdb puts around it. */
const shellCharacters = /["$`\\\n]/;

/**
 * Gives PostgreSQL's programs to an account that may not enter the folder in which npm has installed them (root's own home,
 * or any folder with mode 0700), or whose path initdb could not pass to the shell: a copy of them, made once for each
 * version.
 *
 * @throws Error when it can't be made
 */
export async function reachablePrograms(
  binaries: PostgresBinaries,
  account: Account,
): Promise<PostgresBinaries> {
  const isClosed = (await findClosedFolder(dirname(binaries.postgres), account)) !== undefined;
  if (!isClosed && !shellCharacters.test(binaries.postgres)) return binaries;
  const folder = process.getuid?.() === 0 ? await makeStateDir() : await makeOwnFolder();
  const copy = join(folder, binaries.name);
  if (!(await exists(copy))) {
    const unfinished = await mkdtemp(`${copy}.unfinished-`);
    await copyFolder(join(dirname(binaries.postgres), '..'), unfinished);
    // Another process may have been faster.
    await rename(unfinished, copy).catch(() => rm(unfinished, { recursive: true }));
  }
  const bin = join(copy, 'bin');
  return { ...binaries, initdb: join(bin, 'initdb'), postgres: join(bin, 'postgres') };
}

/**
 * Finds a place for data that an account can get at. When it may not enter the folder that the data is to be in, the data is
 * elsewhere, and a link to it is where it was to be.
 *
 * @param log told of another place
 * @throws Error when there is data that the account can't get at, or no other place can be made
 */
export async function reachableData(
  dataDir: string,
  account: Account,
  log: (line: string) => void,
): Promise<string> {
  const closed = await findClosedFolder(dirname(dataDir), account);
  if (closed === undefined) return dataDir;
  if (await exists(join(dataDir, 'PG_VERSION')))
    throw new Error(
      `PostgreSQL runs as the user ${'uid' in account ? account.uid : ''}, who can't enter ${closed}, where its data is. Allow it with: chmod o+x ${closed}`,
    );
  await makeStateDir();
  const place = await mkdtemp(join(stateDir, 'postgres-'));
  await removeEmptyFolder(dataDir);
  await symlink(place, dataDir);
  log(`PostgreSQL's data is in ${place}, since its user may not enter ${closed}`);
  return place;
}

/** Finds a folder on the way to another, or that itself, which an account may not enter. */
async function findClosedFolder(folder: string, account: Account): Promise<string | undefined> {
  if (!('uid' in account)) return undefined;
  const parent = dirname(folder);
  const above = parent === folder ? undefined : await findClosedFolder(parent, account);
  if (above !== undefined) return above;
  const { uid, gid, mode } = await stat(folder);
  const bit = uid === account.uid ? 0o100 : gid === account.gid ? 0o010 : 0o001;
  return mode & bit ? undefined : folder;
}

/** Makes a folder for programs that nobody else may write to. */
async function makeOwnFolder(): Promise<string> {
  const folder = join(tmpdir(), `portico-${process.getuid?.()}`);
  await mkdir(folder, { mode: 0o700 }).catch(async (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  const { uid, mode } = await stat(folder);
  if (uid !== process.getuid?.() || mode & 0o022)
    throw new Error(
      `Others may write to ${folder}, where PostgreSQL's programs are to be copied, since their own path has a character that the shell reads. Remove it`,
    );
  return folder;
}

async function makeStateDir(): Promise<string> {
  try {
    await mkdir(stateDir, { recursive: true });
    // Whatever the umask is.
    await chmod(stateDir, 0o755);
    return stateDir;
  } catch (cause) {
    throw new Error(
      `PostgreSQL's user can't enter the folder of the project or of its data, and ${stateDir}, which root uses instead, can't be made: ${(cause as Error).message}. Run as another user, or in a folder that others may enter.`,
      { cause },
    );
  }
}

/** Copies a folder so that every user may read and run what is in it. */
async function copyFolder(from: string, to: string): Promise<void> {
  await chmod(to, 0o755);
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) {
      await mkdir(target);
      await copyFolder(source, target);
    } else if (entry.isSymbolicLink()) await symlink(await readlink(source), target);
    else {
      await copyFile(source, target);
      await chmod(target, 0o755);
    }
  }
}
