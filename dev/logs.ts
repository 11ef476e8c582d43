import { appendFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';

/** Writes what each process says to a file of its own, in the folder `logs`. */
export function logToFiles(dataDir: string): (name: string, line: string) => void {
  const folder = join(dataDir, 'logs');
  mkdirSync(folder, { recursive: true });
  return (name, line) => appendFileSync(join(folder, `${name}.log`), `${line}\n`);
}
