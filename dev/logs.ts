import { appendFileSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const suffix = '.log';

/**
 * Writes what each process says to a file of its own, in the folder `logs`. The system goes on when that fails, as on a full
 * disk: the first failure is told on standard error, and each later line is tried again.
 */
export function logToFiles(dataDir: string): (name: string, line: string) => void {
  const folder = join(dataDir, 'logs');
  mkdirSync(folder, { recursive: true });
  let hasFailed = false;
  return (name, line) => {
    try {
      appendFileSync(join(folder, name + suffix), `${line}\n`);
    } catch (error) {
      if (!hasFailed) console.error(`Lines of the logs are lost: ${(error as Error).message}`);
      hasFailed = true;
    }
  };
}

/** Removes the logs of an earlier run. */
export function removeLogs(dataDir: string): void {
  const folder = join(dataDir, 'logs');
  mkdirSync(folder, { recursive: true });
  for (const file of readdirSync(folder)) if (file.endsWith(suffix)) rmSync(join(folder, file));
}
