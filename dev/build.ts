import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, constants, cp, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { extname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { rootDir } from './settings.ts';

const run = promisify(execFile);

/** Folders that a process is made of. */
const rooms = ['platform', 'gateway', 'discovery', 'subgraphs', 'prisma', 'dev'];
const outDir = join(rootDir, 'dist');
const stampFile = join(outDir, '.stamp');

/**
 * Compiles the processes to `dist/`, with the files that they read beside them, unless `dist/` is of the same sources.
 * Types are not checked here, which makes it fast: `npm run check` does.
 *
 * @returns whether anything was to do
 */
export async function build(): Promise<boolean> {
  const stamp = await describeSources();
  if ((await readFile(stampFile, 'utf8').catch(() => '')) === stamp) return false;
  const tsc = join(createRequire(import.meta.url).resolve('typescript/package.json'), '..', 'bin', 'tsc');
  await assertWritable();
  try {
    await run(process.execPath, [tsc, '--project', 'tsconfig.build.json', '--noCheck'], { cwd: rootDir });
  } catch (error) {
    const { stdout = '' } = error as { stdout?: string };
    throw new Error(`The sources expected to compile, but got:\n${stdout}`, { cause: error });
  }
  for (const room of rooms)
    await cp(join(rootDir, room), join(outDir, room), {
      recursive: true,
      filter: source => extname(source) !== '.ts',
    });
  await writeFile(stampFile, stamp);
  return true;
}

async function assertWritable(): Promise<void> {
  try {
    await mkdir(outDir, { recursive: true });
    await access(outDir, constants.W_OK);
  } catch (cause) {
    throw new Error(
      `The sources have changed, and expected to be compiled to ${outDir}, which can't be written: ${(cause as NodeJS.ErrnoException).code}. Run 'npm run build' as a user who may`,
      { cause },
    );
  }
}

/** Names every source by its path, size and time. */
async function describeSources(): Promise<string> {
  const hash = createHash('sha256');
  for (const room of rooms) {
    const files = await readdir(join(rootDir, room), { recursive: true });
    for (const file of files.sort()) {
      const { size, mtimeMs } = await stat(join(rootDir, room, file));
      hash.update(`${room}/${file} ${size} ${mtimeMs}\n`);
    }
  }
  return hash.digest('hex');
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await build();
