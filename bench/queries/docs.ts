import { readFile, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus } from 'node:os';
import { join } from 'node:path';
import { canPin } from '../process.ts';

const docsFolder = join(import.meta.dirname, '..', '..', 'docs');
const docsFile = join(docsFolder, 'benchmarks.md');
const endMark = '<!-- end -->';

/** What a part has found, as it stands in the documentation. */
export interface Findings {
  /** Circumstances of the measurement, which go on after the machine's: "50 connections, …". */
  readonly circumstances: string;
  /** Tables, pictures and sentences, in Markdown. */
  readonly texts: readonly string[];
  /** Pictures by their name below `docs/images/`. */
  readonly images?: Readonly<Record<string, string>>;
}

/** Machine, versions and command that figures come from. */
function originOf(part: string, circumstances: string): string {
  const pinned = canPin ? 'the gateway on one core and all others on another' : 'no process kept on a core';
  return [
    `\`npm run bench -- --parts ${part}\` on ${new Date().toISOString().slice(0, 10)}: Node ${process.versions.node},`,
    `${cpus()[0]?.model ?? 'an unknown processor'}, ${availableParallelism()} cores, ${pinned};`,
    `${circumstances}.`,
  ].join('\n');
}

/** Writes what a part has found into the documentation, between the part's marks. @throws Error when it has none */
export async function writeFindings(
  part: string,
  { circumstances, texts, images = {} }: Findings,
): Promise<void> {
  const text = await readFile(docsFile, 'utf8');
  const beginMark = `<!-- npm run bench -- --parts ${part} --write -->`;
  const [before = '', rest] = text.split(beginMark);
  if (rest === undefined) throw new Error(`docs/benchmarks.md expected to have '${beginMark}'`);
  const after = rest.slice(rest.indexOf(endMark) + endMark.length);
  const made = [beginMark, originOf(part, circumstances), ...texts, endMark].join('\n\n');
  await writeFile(docsFile, before + made + after);
  for (const [name, image] of Object.entries(images))
    await writeFile(join(docsFolder, 'images', name), image);
}
