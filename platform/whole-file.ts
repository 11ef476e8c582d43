import { randomUUID } from 'node:crypto';
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises';

/** Reads a file's text; empty when there is no such file. */
export async function readIfThere(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}

/**
 * Replaces a file so that, whatever happens meanwhile, it holds either the old text or the new. Of several that do so at once,
 * the last one wins.
 *
 * @param mode who may read it, as `chmod` takes it. @default what the umask leaves of 0666
 */
export function replaceFile(file: string, text: string, mode?: number): Promise<void> {
  return write(file, { text, mode, giveName: rename });
}

/**
 * Creates a file that nobody ever finds unfinished. Of several that do so at once, the first one wins.
 *
 * @throws Error with the code `EEXIST` when it is there
 */
export function createFile(file: string, text: string, mode?: number): Promise<void> {
  return write(file, { text, mode, giveName: link });
}

interface Writing {
  readonly text: string;
  readonly mode: number | undefined;
  /** Gives the finished file its name. */
  readonly giveName: (unfinished: string, file: string) => Promise<void>;
}

async function write(path: string, { text, mode, giveName }: Writing): Promise<void> {
  const unfinished = `${path}.${randomUUID()}.unfinished`;
  try {
    await writeFile(unfinished, text, { mode, flush: true });
    await giveName(unfinished, path);
  } finally {
    await rm(unfinished, { force: true });
  }
}
