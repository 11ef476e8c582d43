import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { codegen } from '@graphql-codegen/core';
import * as typescript from '@graphql-codegen/typescript';
import * as typescriptResolvers from '@graphql-codegen/typescript-resolvers';
import { parse } from 'graphql';
import { bundleIde } from './gateway/explorers/ide/bundle.ts';
import { eventSchemaOf } from './platform/kafka/event-schema.ts';
import { generateClients } from './prisma/generate.ts';
import { orderEventData } from './subgraphs/orders/events.ts';

/**
 * What a resolver of a type is given as its parent, where that is not the type's own shape: a row of the store, or the
 * key by which another subgraph refers to it.
 */
const mappers: Record<string, Record<string, string>> = {
  products: { Product: '../store.ts#ProductRow' },
  inventory: { Product: '../resolvers.ts#ProductParent' },
  orders: { Order: '../store.ts#PlacedOrder', OrderItem: '../resolvers.ts#OrderItemParent' },
  notifications: {
    Notification: '../store.ts#NotificationRow',
    NotificationsMissed: '../live-feeds.ts#MissedNotifications',
    NotificationEvent: '../live-feeds.ts#FeedEvent',
  },
};

/** Writes the types of a subgraph's resolvers beside it, from its schema. */
async function generateResolverTypes(subgraph: string): Promise<void> {
  const folder = new URL(`subgraphs/${subgraph}/`, import.meta.url);
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
      mappers: mappers[subgraph] ?? {},
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
async function writeEventSchemas(): Promise<void> {
  const folder = new URL('subgraphs/orders/events/', import.meta.url);
  await mkdir(folder, { recursive: true });
  for (const [type, data] of Object.entries(orderEventData)) {
    const schema = eventSchemaOf(type, data);
    await writeFile(new URL(`${type}.schema.json`, folder), `${JSON.stringify(schema, null, 2)}\n`);
  }
}

await Promise.all(Object.keys(mappers).map(generateResolverTypes));
await generateClients();
await bundleIde();
await writeEventSchemas();
