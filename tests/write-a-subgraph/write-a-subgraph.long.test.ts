import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { rootDir } from '../../dev/settings.ts';

const run = promisify(execFile);
let copy: string;

/** A block of the page that is the content of a file. */
interface Block {
  readonly file: string;
  readonly text: string;
}

const readPage = () => readFile(join(rootDir, 'docs', 'write-a-subgraph.md'), 'utf8');

async function readBlocks(): Promise<Block[]> {
  return [...(await readPage()).matchAll(/^```\w+ (\S+)\n(.*?)^```$/gms)].map(([, file = '', text = '']) => ({
    file,
    text,
  }));
}

/** Runs a command in the copy. @returns its output */
async function runIn(program: string, ...args: string[]): Promise<string> {
  const { stdout } = await run(program, args, { cwd: copy, maxBuffer: 16 * 1024 ** 2 }).catch(error => {
    throw new Error(`${program} ${args.join(' ')} failed:\n${error.stdout}${error.stderr}`);
  });
  return stdout;
}

beforeAll(async () => {
  copy = await mkdtemp(join(tmpdir(), 'portico-new-subgraph-'));
  const { stdout } = await run('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
    cwd: rootDir,
  });
  for (const file of stdout.trim().split('\n')) {
    await mkdir(dirname(join(copy, file)), { recursive: true });
    await cp(join(rootDir, file), join(copy, file));
  }
  await symlink(join(rootDir, 'node_modules'), join(copy, 'node_modules'));
  for (const { file, text } of await readBlocks())
    if (file === 'services.ts') {
      const services = await readFile(join(copy, file), 'utf8');
      const changed = services.replace(/^export const serviceNames = .*\n/m, text);
      expect(changed).not.toBe(services);
      await writeFile(join(copy, file), changed);
    } else {
      await mkdir(dirname(join(copy, file)), { recursive: true });
      await writeFile(join(copy, file), text);
    }
});
afterAll(() => rm(copy, { recursive: true, force: true }));

test('a service that is written as the page says compiles, passes its test, and obeys the walls', async () => {
  const [linkOutbox = ''] = /^ln -s .*$/m.exec(await readPage()) ?? [];
  await runIn('sh', '-c', linkOutbox);
  expect(await runIn('npm', 'run', 'db:migrate', '--', 'create', 'reviews', 'init')).toContain('created');
  await runIn('npm', 'run', 'codegen');
  expect(
    JSON.parse(
      await readFile(join(copy, 'subgraphs/reviews/events/dev.portico.review.added.v1.schema.json'), 'utf8'),
    ),
  ).toMatchObject({ title: 'dev.portico.review.added.v1' });
  await runIn('npx', 'tsc', '--noEmit');
  await runIn('npx', 'biome', 'check', '--vcs-enabled=false', 'subgraphs/reviews', 'prisma/reviews');
  await runIn('npx', 'vitest', 'run', '--project', 'unit', 'subgraphs/reviews');
  await runIn('npx', 'vitest', 'run', '--project', 'e2e', 'tests/walls');
}, 300_000);
