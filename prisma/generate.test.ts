import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { generateClients } from './generate.ts';
import { createTestService, type TestService } from './testing.ts';

vi.setConfig({ testTimeout: 60_000 });

const schema = `generator client {
  provider            = "prisma-client"
  output              = "../../subgraphs/orders/generated/prisma"
  runtime             = "nodejs"
  moduleFormat        = "esm"
  importFileExtension = "ts"
}

datasource db {
  provider = "postgresql"
}

model Cup {
  id Int @id
}
`;

let service: TestService;
let schemaFile: string;

beforeEach(async () => {
  service = await createTestService();
  schemaFile = join(service.folder.schemaDir, 'schema.prisma');
  await writeFile(schemaFile, schema);
});

afterEach(() => service.remove());

describe('generateClients', () => {
  test('generates a client that is missing, and leaves it alone while its schema stays the same', async () => {
    expect(await generateClients([service.folder])).toEqual(['orders']);
    const clientFile = join(service.folder.clientDir, 'client.ts');
    expect(await readFile(clientFile, 'utf8')).toContain('export type Cup = ');
    const { mtimeMs } = await stat(clientFile);
    expect(await generateClients([service.folder])).toEqual([]);
    expect((await stat(clientFile)).mtimeMs).toBe(mtimeMs);
  });

  test('generates a client again when its schema changed or the client is gone', async () => {
    await generateClients([service.folder]);
    await writeFile(schemaFile, schema.replace('model Cup', 'model Mug'));
    expect(await generateClients([service.folder])).toEqual(['orders']);
    await rm(service.folder.clientDir, { recursive: true });
    expect(await generateClients([service.folder])).toEqual(['orders']);
    expect(await readFile(join(service.folder.clientDir, 'client.ts'), 'utf8')).toContain(
      'export type Mug = ',
    );
  });

  test('generates a client again that another version of Prisma made', async () => {
    await generateClients([service.folder]);
    const stampFile = join(service.folder.clientDir, '.stamp');
    const stamp = await readFile(stampFile, 'utf8');
    await writeFile(stampFile, stamp.replace(/^prisma \S+/, 'prisma 6.0.0'));
    expect(await generateClients([service.folder])).toEqual(['orders']);
    expect(await readFile(stampFile, 'utf8')).toBe(stamp);
  });

  test('tells the service and what Prisma says when a schema is wrong, and tries again next time', async () => {
    await writeFile(schemaFile, schema.replace('id Int', 'id Number'));
    await expect(generateClients([service.folder])).rejects.toThrow(
      /^The Prisma client of orders could not be generated:\n(.|\n)*Type "Number" is neither a built-in type/,
    );
    await expect(generateClients([service.folder])).rejects.toThrow(
      'The Prisma client of orders could not be generated',
    );
  });
});
