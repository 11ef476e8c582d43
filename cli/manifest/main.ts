import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { messageOf } from '../../platform/errors.ts';
import { readSources } from './documents.ts';
import { makeManifest } from './manifest.ts';

const usage = `Makes the manifest of the operations in the code of a client, for PERSISTED_OPERATIONS_FILE.

  npm run manifest -- [--out manifest.json] <file or folder> …

GraphQL is taken from .graphql and .gql files, and from gql\`…\`, graphql\`…\`, graphql(\`…\`) and /* GraphQL */ \`…\` in code.
`;

const { values, positionals } = parseArgs({
  options: { out: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
  allowPositionals: true,
});
if (values.help || positionals.length === 0) {
  process.stdout.write(usage);
  process.exitCode = values.help ? 0 : 1;
} else
  try {
    const manifest = makeManifest(await readSources(positionals));
    const text = `${JSON.stringify(manifest, null, 2)}\n`;
    if (values.out === undefined) process.stdout.write(text);
    else {
      await writeFile(values.out, text);
      const names = new Set(manifest.operations.map(({ name }) => name));
      process.stderr.write(`${values.out} has ${names.size} operations\n`);
    }
  } catch (error) {
    process.stderr.write(`${messageOf(error)}\n`);
    process.exitCode = 1;
  }
