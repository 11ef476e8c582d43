import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { addTypenameToDocument } from '@apollo/client/utilities';
import fc from 'fast-check';
import { parse, print } from 'graphql';
import { expect, onTestFinished, test } from 'vitest';
import { readSources } from './documents.ts';
import { makeManifest } from './manifest.ts';

async function makeFolder(files: Readonly<Record<string, string>>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'portico-manifest-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  for (const [name, text] of Object.entries(files)) {
    await mkdir(join(folder, name, '..'), { recursive: true });
    await writeFile(join(folder, name), text);
  }
  return folder;
}
const manifestOf = async (files: Readonly<Record<string, string>>) =>
  makeManifest(await readSources([await makeFolder(files)]));

test('the operations of a client are found wherever its code has them, with their fragments', async () => {
  const { operations } = await manifestOf({
    'src/one.graphql': 'query One { pens { ...Pen } }',
    'src/pen.ts': 'export const Pen = gql`fragment Pen on Pen { name ...Price }`;',
    'src/price.gql': 'fragment Price on Pen { price }',
    'src/two.tsx': `const two = graphql(\`mutation Two { add(text: "\\\`") { ...Price } }\n  \${Price}\`);`,
    'src/three.vue': 'const three = /* GraphQL */ `subscription Three { changed }`;',
    'node_modules/lib/four.graphql': 'query Four { nothing }',
    'src/five.md': 'gql`query Five { nothing }`',
  });
  expect(new Set(operations.map(({ name, type }) => `${type} ${name}`))).toEqual(
    new Set(['query One', 'mutation Two', 'subscription Three']),
  );
  const [one] = operations.filter(({ name }) => name === 'One');
  expect(one?.body).toBe(
    print(
      parse(
        'query One { pens { ...Pen } } fragment Pen on Pen { name ...Price } fragment Price on Pen { price }',
      ),
    ),
  );
  expect(new Set(operations.map(({ id }) => id)).size).toBe(operations.length);
});

test('each is there as Apollo Client sends it too', async () => {
  const text =
    'query Q { a { b ... on T { c } __typename } d { ...F } __schema { types { name } } } fragment F on T { e { f } }';
  const { operations } = await manifestOf({ 'q.graphql': text });
  expect(operations.map(({ body }) => body)).toEqual([
    print(parse(text)),
    print(addTypenameToDocument(parse(text))),
  ]);
});

test.each<[string, Record<string, string>, RegExp]>([
  ['a text is no GraphQL', { 'a.graphql': 'query {' }, /a\.graphql has a text that is no GraphQL \(line 1/],
  ['an operation has no name', { 'a.graphql': '{ pens }' }, /a\.graphql has an operation without a name/],
  [
    'a name is there twice',
    { 'a.graphql': 'query Q { a }', 'b.graphql': 'query Q { b }' },
    /b\.graphql and .*a\.graphql both define 'Q'/,
  ],
  ['a fragment is missing', { 'a.graphql': 'query Q { ...F }' }, /spreads the fragment 'F', which no source/],
])('it is an error when %s', async (_what, files, message) => {
  await expect(manifestOf(files)).rejects.toThrow(message);
});

test('code of any kind is searched in a time that its length bounds', async () => {
  const startedAt = performance.now();
  await readSources([
    await makeFolder({
      'blanks.ts': `gql${' '.repeat(100_000)}x`,
      'backslashes.ts': `gql\`${'\\'.repeat(100_000)}`,
      'openings.ts': '${'.repeat(100_000),
      'comments.ts': `/*${' '.repeat(50_000)}GraphQL`,
    }),
  ]);
  expect(performance.now() - startedAt).toBeLessThan(2_000);
});

test('sources of anything make a manifest, or an error that names a file', async () => {
  const part = fc.constantFrom(
    'gql`',
    'graphql(`',
    '`',
    '${',
    '}',
    '\\',
    'query Q { a }',
    'fragment F on T { a ...F }',
    '...F',
    '{',
    ' ',
    '/* GraphQL */',
  );
  const folder = await makeFolder({});
  await fc.assert(
    fc.asyncProperty(fc.array(part), async parts => {
      await writeFile(join(folder, 'a.ts'), parts.join(' '));
      const sources = await readSources([folder]);
      try {
        const { operations } = makeManifest(sources);
        for (const { body } of operations) expect(print(parse(body))).toBe(body);
      } catch (error) {
        expect((error as Error).message).toContain('a.ts');
      }
    }),
    { numRuns: 100 },
  );
});
