import { execFile } from 'node:child_process';
import { access, chown, mkdir, rename, rm, rmdir } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { Account } from './account.ts';
import type { PostgresBinaries } from './binaries.ts';

const run = promisify(execFile);

const initdbFlags = [
  '--username=postgres',
  // The server listens on the loopback address only. A password that is printed in this file would keep nobody out.
  '--auth=trust',
  '--encoding=UTF8',
  // PostgreSQL's own collation, the same on every machine whatever locales it has installed.
  '--locale=C',
  '--locale-provider=builtin',
  '--builtin-locale=C.UTF-8',
];

/** PostgreSQL's messages for a full disk: the system's when a write failed, its own when only a part was written. */
const fullDiskPattern = /No space left on device|Disk quota exceeded|Check free disk space/;

/**
 * Creates PostgreSQL's files in `dataDir`, unless they are there. They are made beside it and moved when complete,
 * so that an interrupted run leaves nothing that looks like a cluster.
 *
 * @returns whether the files were created now
 * @throws Error when the directory holds something else, or with initdb's output when that fails
 */
export async function initialiseCluster(
  dataDir: string,
  { initdb }: PostgresBinaries,
  account: Account,
): Promise<boolean> {
  if (await exists(join(dataDir, 'PG_VERSION'))) return false;

  if (!('uid' in account)) assertKnownUser();
  await removeEmptyFolder(dataDir);
  const unfinishedDir = `${dataDir}.unfinished`;
  await rm(unfinishedDir, { recursive: true, force: true });
  await mkdir(unfinishedDir, { recursive: true, mode: 0o700 });
  if ('uid' in account) await chown(unfinishedDir, account.uid, account.gid);

  await run(initdb, [`--pgdata=${unfinishedDir}`, ...initdbFlags], {
    ...account,
    cwd: dirname(dataDir),
  }).catch((error: Error & { stderr?: string }) => {
    const reason = error.stderr?.trim() || error.message;
    if (fullDiskPattern.test(reason))
      throw new Error(
        `The disk of ${dataDir} is full; PostgreSQL needs some 50 MB. Free some, or have the data elsewhere: set PORTICO_DATA_DIR`,
        { cause: error },
      );
    throw new Error(`initdb could not fill ${unfinishedDir}: ${reason}`, { cause: error });
  });
  await rename(unfinishedDir, dataDir);
  return true;
}

/** initdb looks up by which name it runs, which containers with any user id do not say. */
function assertKnownUser(): void {
  try {
    userInfo();
  } catch (cause) {
    throw new Error(
      `The user ${process.getuid?.()}, who runs PostgreSQL, is not in /etc/passwd. Add it there, run as another user, or use databases that exist: set PRODUCTS_DATABASE_URL and the other three`,
      { cause },
    );
  }
}

/** Removes a folder, if there is one. @throws Error when something is in it */
export async function removeEmptyFolder(folder: string): Promise<void> {
  if (!(await exists(folder))) return;

  await rmdir(folder).catch(cause => {
    throw new Error(
      `PostgreSQL cannot use ${folder}, which is neither its own nor an empty folder: ${cause.code}`,
      {
        cause,
      },
    );
  });
}

/** Tells if there is something at a path. */
export function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
