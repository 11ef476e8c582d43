import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { SchemasContainer } from '@prisma/schema-engine-wasm';

/** Reads a folder's schema, `*.prisma`, in the form that the engine takes. A link is read as the file that it leads to. */
export async function readSchema(schemaDir: string): Promise<SchemasContainer> {
  const names = (await readdir(schemaDir)).filter(name => name.endsWith('.prisma')).sort();
  const paths = names.map(name => join(schemaDir, name));
  return {
    files: await Promise.all(paths.map(async path => ({ path, content: await readFile(path, 'utf8') }))),
  };
}
