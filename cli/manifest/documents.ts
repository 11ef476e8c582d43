import { readdir, readFile, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';

/** A text of GraphQL, with the file that has it. */
export interface SourceText {
  readonly file: string;
  readonly text: string;
}

const documentExtensions: ReadonlySet<string> = new Set(['.graphql', '.gql']);
const codeExtensions: ReadonlySet<string> = new Set([
  '.ts',
  '.tsx',
  '.mts',
  '.js',
  '.jsx',
  '.mjs',
  '.vue',
  '.svelte',
]);

/** Templates of code that are GraphQL: gql`…`, graphql`…`, graphql(`…`), and those after a comment that says so. */
const templates = /(?:\b(?:gql|graphql)\s*(?:\(\s*)?|\/\*\s*GraphQL\s*\*\/\s*)`((?:[^`\\]|\\[\s\S])*)`/g;

/** Reads the GraphQL of files and folders. What packages have installed is left out. */
export async function readSources(paths: readonly string[]): Promise<SourceText[]> {
  const found: SourceText[] = [];
  for (const path of paths) for (const file of await filesIn(path)) found.push(...(await textsIn(file)));
  return found;
}

async function filesIn(path: string): Promise<string[]> {
  const info = await stat(path);
  if (!info.isDirectory()) return [path];
  const names = (await readdir(path)).filter(name => name !== 'node_modules' && !name.startsWith('.'));
  const below = await Promise.all(names.sort().map(name => filesIn(join(path, name))));
  return below.flat();
}

async function textsIn(file: string): Promise<SourceText[]> {
  const extension = extname(file);
  if (documentExtensions.has(extension)) return [{ file, text: await readFile(file, 'utf8') }];
  if (!codeExtensions.has(extension)) return [];
  const code = await readFile(file, 'utf8');
  return [...code.matchAll(templates)].map(([, template = '']) => ({
    file,
    // Fragments that a template takes in are found by their names.
    text: template.replaceAll(/\$\{[^{}]*\}/g, '').replaceAll('\\`', '`'),
  }));
}
