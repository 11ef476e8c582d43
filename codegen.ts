import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { codegen } from '@graphql-codegen/core';
import * as typescript from '@graphql-codegen/typescript';
import * as typescriptResolvers from '@graphql-codegen/typescript-resolvers';
import { parse } from 'graphql';
import type * as z from 'zod';
import { type SettingsShape, settingsDocument } from './dev/settings-document.ts';
import { discoverySettings } from './discovery/config.ts';
import { gatewaySettings } from './gateway/config.ts';
import { bundleIde } from './gateway/explorers/ide/bundle.ts';
import { processSettings } from './platform/config.ts';
import type { CodegenInput } from './platform/graphql/codegen-input.ts';
import { eventSchemaOf } from './platform/kafka/event-schema.ts';
import { systemSettings } from './platform/system.ts';
import { generateClients } from './prisma/generate.ts';
import { serviceNames } from './services.ts';

/** Writes the types of a subgraph's resolvers beside it, from its schema. */
async function generateResolverTypes(folder: URL, { mappers }: CodegenInput): Promise<void> {
  const output = new URL('generated/graphql.ts', folder);
  const code = await codegen({
    filename: output.pathname,
    schema: parse(await readFile(new URL('schema.graphql', folder), 'utf8')),
    documents: [],
    config: {
      federation: true,
      useTypeImports: true,
      enumsAsTypes: true,
      contextType: '../resolvers.ts#OperationContext',
      mappers,
      scalars: { ID: 'string', DateTime: 'Date' },
      avoidOptionals: { field: true },
      immutableTypes: true,
    },
    plugins: [{ typescript: {} }, { resolvers: {} }],
    pluginMap: { typescript, resolvers: typescriptResolvers },
  });
  await mkdir(new URL('.', output), { recursive: true });
  await writeFile(output, code);
}

/** Writes the JSON Schema of each event; these are committed, because others read them. */
async function writeEventSchemas(folder: URL, events: NonNullable<CodegenInput['events']>): Promise<void> {
  const output = new URL('events/', folder);
  await mkdir(output, { recursive: true });
  for (const [type, data] of Object.entries(events))
    await writeFile(
      new URL(`${type}.schema.json`, output),
      `${JSON.stringify(eventSchemaOf(type, data), null, 2)}\n`,
    );
}

async function generateSubgraph(name: string): Promise<void> {
  const folder = new URL(`subgraphs/${name}/`, import.meta.url);
  const { codegenInput } = (await import(new URL('codegen.ts', folder).href)) as {
    codegenInput: CodegenInput;
  };
  await generateResolverTypes(folder, codegenInput);
  if (codegenInput.events) await writeEventSchemas(folder, codegenInput.events);
}

/** Writes the page of all settings. */
async function writeSettingsDocument(): Promise<void> {
  const services = await Promise.all(
    serviceNames.map(async name => {
      const { settings } = (await import(`./subgraphs/${name}/config.ts`)) as { settings: z.ZodObject };
      return [`The subgraph ${name}`, settings.shape as SettingsShape] as const;
    }),
  );
  const [[, first] = ['', {}]] = services;
  const common = Object.entries(first).filter(([name]) => services.every(([, shape]) => name in shape));
  const text = settingsDocument([
    ['Every process', processSettings.shape],
    ['Processes that register and call each other', systemSettings.shape],
    ['The gateway', gatewaySettings.shape],
    ['The registry', discoverySettings.shape],
    ['Every subgraph of the shop', Object.fromEntries(common)],
    ...services,
  ]);
  const page = new URL('docs/settings.md', import.meta.url);
  // An image is built without the documents.
  await mkdir(new URL('.', page), { recursive: true });
  await writeFile(page, text);
}

await Promise.all(serviceNames.map(generateSubgraph));
await generateClients();
await bundleIde();
await writeSettingsDocument();
