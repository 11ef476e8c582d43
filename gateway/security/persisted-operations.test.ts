import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { silentLog } from '../../platform/log.ts';
import { GatewayError } from '../gateway-error.ts';
import { makeFolder } from '../testing/supergraph.ts';
import { type NamedRequest, openPersistedOperations } from './persisted-operations.ts';

const mode = fc.constantFrom('off' as const, 'log' as const, 'enforce' as const);
const name = fc.constantFrom(
  'id',
  'body',
  'format',
  'version',
  'operations',
  '__proto__',
  'constructor',
  'known',
);
const manifest = fc.oneof(
  fc.string(),
  fc.json(),
  fc.dictionary(name, fc.oneof(fc.string(), fc.jsonValue())).map(each => JSON.stringify(each)),
);

test('a file is a manifest, or is refused by its name', async () => {
  const file = join(await makeFolder(), 'manifest.json');
  await fc.assert(
    fc.asyncProperty(manifest, mode, async (text, given) => {
      await writeFile(file, text);
      const metrics = new Registry();
      await openPersistedOperations({ file, mode: given, metrics, log: silentLog }).catch(
        (error: unknown) => {
          expect((error as Error).message).toContain(file);
        },
      );
    }),
    { numRuns: 50 },
  );
});

test('a request of any shape goes on, or is refused', async () => {
  const file = join(await makeFolder(), 'manifest.json');
  await writeFile(file, JSON.stringify({ known: '{ a }' }));
  const id = fc.oneof(fc.constantFrom('known', '__proto__', 'constructor'), fc.jsonValue());
  const request = fc.record(
    {
      query: fc.oneof(fc.constantFrom('{ a }', '{a}', '', '{'.repeat(20_000)), fc.jsonValue()),
      extensions: fc.oneof(
        fc.record({ persistedQuery: fc.oneof(fc.record({ sha256Hash: id }), fc.jsonValue()) }),
        fc.jsonValue(),
      ),
      doc_id: id,
      documentId: id,
    },
    { requiredKeys: [] },
  );
  for (const given of ['off', 'log', 'enforce'] as const) {
    const metrics = new Registry();
    const persisted = await openPersistedOperations({ file, mode: given, metrics, log: silentLog });
    fc.assert(
      fc.property(request, each => {
        try {
          const { query, extensions } = persisted?.resolve<NamedRequest>(each) ?? {};
          if (given !== 'enforce') return;
          if (typeof query === 'string' && query !== '') expect(['{ a }', '{a}']).toContain(query);
          expect(extensions ?? {}).not.toHaveProperty('persistedQuery');
        } catch (error) {
          expect(error).toBeInstanceOf(GatewayError);
        }
      }),
    );
  }
});
