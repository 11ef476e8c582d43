import { execFileSync } from 'node:child_process';
import { stat } from 'node:fs/promises';

/** The account to run PostgreSQL's programs as, in the form that `spawn` takes; empty for one's own. */
export type Account = { uid: number; gid: number } | Record<string, never>;

/**
 * Chooses the account for a data directory. PostgreSQL refuses to run as root, so root hands over to the
 * directory's owner, and for a new directory to the account `postgres` or else `nobody`.
 */
export async function chooseAccount(dataDir: string): Promise<Account> {
  if (process.getuid?.() !== 0) return {};

  const owner = await stat(dataDir).catch(() => undefined);
  if (owner !== undefined && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid };

  return findAccount('postgres') ?? findAccount('nobody') ?? {};
}

function findAccount(name: string): Account | undefined {
  try {
    const id = (flag: string) =>
      Number(execFileSync('id', [flag, name], { stdio: ['ignore', 'pipe', 'ignore'] }));
    return { uid: id('-u'), gid: id('-g') };
  } catch {
    return undefined;
  }
}
