import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { startScratchPostgres } from '../postgres/scratch.ts';
import type { PostgresServer } from '../postgres/server.ts';
import { createTestService, type TestService } from '../testing.ts';
import { withSchemaEngine } from './engine.ts';
import { SchemaEngineError } from './error.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let server: PostgresServer;
let service: TestService;

beforeAll(async () => {
  server = await startScratchPostgres();
  service = await createTestService();
});

afterAll(async () => {
  await service.remove();
  await server.close();
});

describe('withSchemaEngine', () => {
  test('runs the engine on the database', async () => {
    const { schemaDir } = service.folder;
    const version = await withSchemaEngine({ databaseUrl: server.url, schemaDir }, engine =>
      engine.version(),
    );
    expect(version).toContain('PostgreSQL 18');
  });

  test('leaves the trace of its own calls out of what the engine complains of', async () => {
    const { schemaDir } = service.folder;
    const error = await withSchemaEngine({ databaseUrl: server.url, schemaDir }, engine =>
      engine.dbExecute({ datasourceType: { tag: 'url', url: server.url }, script: 'SELCT 1' }),
    ).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(SchemaEngineError);
    expect(error).toMatchObject({ message: 'ERROR: syntax error at or near "SELCT"' });
  });
});
