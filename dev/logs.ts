import { appendFileSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const suffix = '.log';

/**
 * Writes what each process says to a file of its own, in the folder `logs`. The system goes on when that fails, as on a full
 * disk: the first failure is told on standard error, and each later line is tried again.
 *
 * @param options.removesEarlier whether the logs of an earlier run are removed. @default false
 */
export function logToFiles(
  dataDir: string,
  { removesEarlier = false } = {},
): (name: string, line: string) => void {
  const folder = join(dataDir, 'logs');
  mkdirSync(folder, { recursive: true });
  const earlier = removesEarlier ? readdirSync(folder).filter(file => file.endsWith(suffix)) : [];
  for (const file of earlier) rmSync(join(folder, file));
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
