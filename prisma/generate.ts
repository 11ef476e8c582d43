import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { type ServiceName, serviceNames } from '../services.ts';
import { readSchema } from './engine/read-schema.ts';
import { runAsScript } from './script.ts';
import { parseServices, type ServiceFolder, serviceFolder } from './service-folder.ts';

const require = createRequire(import.meta.url);
const run = promisify(execFile);

/** Each run of the Prisma CLI keeps one core busy for about a second. */
const maxConcurrentRuns = 2;

/**
 * Generates the Prisma clients of all services into `subgraphs/<service>/generated/prisma`, and leaves alone
 * those that were made from the same schema by the same version of Prisma.
 *
 * @param folders the services to generate for. @default all of them
 * @returns the services whose client was generated now
 * @throws Error with the Prisma CLI's output when it fails
 */
export async function generateClients(
  folders: readonly ServiceFolder[] = serviceNames.map(service => serviceFolder(service)),
): Promise<ServiceName[]> {
  const waiting = [...folders];
  const generated: ServiceName[] = [];
  const work = async () => {
    for (let folder = waiting.shift(); folder !== undefined; folder = waiting.shift())
      if (await generateClient(folder)) generated.push(folder.service);
  };
  await Promise.all(Array.from({ length: maxConcurrentRuns }, work));
  return generated;
}

/** Generates one client unless it is fresh, and tells whether it did. */
async function generateClient({ service, schemaDir, clientDir }: ServiceFolder): Promise<boolean> {
  // Inside the generated folder, so that it goes when the folder goes.
  const stampFile = join(clientDir, '.stamp');
  const stamp = await describeInput(schemaDir);
  if ((await readFile(stampFile, 'utf8').catch(() => undefined)) === stamp) return false;

  await runPrisma(['generate', '--no-hints', '--schema', schemaDir], service);
  await writeFile(stampFile, stamp);
  return true;
}

/** Names everything that a generated client depends on: the version of Prisma and the text of the schema. */
async function describeInput(schemaDir: string): Promise<string> {
  const { version } = require('prisma/package.json') as { version: string };
  const { files } = await readSchema(schemaDir);
  const hash = createHash('sha256').update(JSON.stringify(files.map(({ content }) => content)));
  return `prisma ${version} sha256 ${hash.digest('hex')}\n`;
}

async function runPrisma(args: string[], service: ServiceName): Promise<void> {
  const cli = join(dirname(require.resolve('prisma/package.json')), 'build', 'index.js');
  const env = {
    ...process.env,
    // Every command of the CLI first downloads its native schema engine when none is found, even `generate`, which
    // never starts it. A path to any existing program stops that. It must be one that fails when it is started as an
    // engine, as Node does: with a program that always succeeds, `prisma migrate deploy` would report success.
    PRISMA_SCHEMA_ENGINE_BINARY: process.execPath,
    CHECKPOINT_DISABLE: '1',
    PRISMA_HIDE_UPDATE_MESSAGE: '1',
  };
  try {
    // In this folder the CLI finds no prisma.config.ts to load, which `generate` does not need and takes a second.
    await run(process.execPath, [cli, ...args], { env, cwd: import.meta.dirname });
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    throw new Error(`The Prisma client of ${service} could not be generated:\n${stderr}${stdout}`, {
      cause: error,
    });
  }
}

await runAsScript(import.meta.url, async args => {
  const startedAt = performance.now();
  const generated = await generateClients(parseServices(args).map(service => serviceFolder(service)));
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  console.log(
    generated.length === 0
      ? 'Prisma clients are up to date'
      : `generated the Prisma clients of ${generated.join(', ')} in ${seconds} s`,
  );
});
