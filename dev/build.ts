import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, constants, cp, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { extname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { rootDir } from './settings.ts';

const run = promisify(execFile);

/** Folders of the sources that processes are made of, beside the list of services. */
const folders = ['platform', 'gateway', 'discovery', 'subgraphs', 'prisma', 'broker', 'cli', 'dev'];
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
    throw new Error(`The sources do not compile:\n${stdout}`, { cause: error });
  }
  for (const folder of folders)
    await cp(join(rootDir, folder), join(outDir, folder), {
      recursive: true,
      // A service's link to a table of the platform becomes a file: nothing in dist/ leads out of it.
      dereference: true,
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
      `The sources have changed, and cannot be compiled to ${outDir}, which can't be written: ${(cause as NodeJS.ErrnoException).code}. Run 'npm run build' as a user who may`,
      { cause },
    );
  }
}

/** Hashes the path, size and time of every source. */
async function describeSources(): Promise<string> {
  const hash = createHash('sha256').update(await readFile(join(rootDir, 'services.ts')));
  for (const folder of folders) {
    const files = await readdir(join(rootDir, folder), { recursive: true });
    for (const file of files.sort()) {
      const { size, mtimeMs } = await stat(join(rootDir, folder, file));
      hash.update(`${folder}/${file} ${size} ${mtimeMs}\n`);
    }
  }
  return hash.digest('hex');
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await build();
