import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { messageOf } from '../platform/errors.ts';
import { releaseNotes } from './changelog.ts';
import { rootDir } from './settings.ts';

const usage = `usage: node --import tsx dev/release-notes.ts [--files <url>] <tag>
  <tag>           of the release, v and the version in package.json
  --files <url>   where the repository's files are at the tag: relative links go there`;

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { files: { type: 'string' } },
  });
  const [tag, ...more] = positionals;
  if (tag === undefined || more.length > 0)
    throw new Error(`Expected one tag, but got ${positionals.join(' ') || 'none'}`);
  const { version } = JSON.parse(await readFile(join(rootDir, 'package.json'), 'utf8')) as {
    version: string;
  };
  const changelog = await readFile(join(rootDir, 'CHANGELOG.md'), 'utf8');
  process.stdout.write(releaseNotes(changelog, { tag, version, filesUrl: values.files }));
}

try {
  await main();
} catch (error) {
  console.error(`${messageOf(error)}\n\n${usage}`);
  process.exitCode = 1;
}
