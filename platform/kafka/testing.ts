import { readdir, readFile } from 'node:fs/promises';
import type { KafkaMessage } from 'kafkajs';
import type { EventHandlers } from './event-handlers.ts';
import { eventSchemaOf } from './event-schema.ts';
import { createEvent, toMessage } from './events.ts';

/** A JSON Schema, as far as the tests look at it. */
export interface JsonSchema {
  readonly title?: string;
  readonly type?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly items?: JsonSchema;
  readonly examples?: readonly Record<string, unknown>[];
}

/** The committed JSON Schemas of the events of a service, by the event's type. */
export async function readEventSchemas(service: string): Promise<Record<string, JsonSchema>> {
  const folder = new URL(`../../subgraphs/${service}/events/`, import.meta.url);
  const schemas: Record<string, JsonSchema> = {};
  for (const file of await readdir(folder)) {
    const schema = JSON.parse(await readFile(new URL(file, folder), 'utf8')) as JsonSchema;
    schemas[file.replace(/\.schema\.json$/, '')] = schema;
  }
  return schemas;
}

/** Makes a message of an event, as kafkajs gives it to a consumer. */
export function receivedMessage(type: string, data: unknown, headers: Record<string, string> = {}) {
  const {
    key,
    value,
    headers: own,
  } = toMessage(createEvent({ type, source: '/orders', subject: 'order-1', data }));
  return {
    key: Buffer.from(key),
    value: Buffer.from(value),
    headers: Object.fromEntries(
      Object.entries({ ...own, ...headers }).map(([name, text]) => [name, Buffer.from(text)]),
    ),
  } satisfies Pick<KafkaMessage, 'key' | 'value' | 'headers'>;
}

/**
 * Finds what a reader expects of an event's data beyond what its schema promises: paths of fields that may be missing, or may
 * have values that the reader refuses.
 */
export function unmetExpectations(handlers: EventHandlers, type: string, promised: JsonSchema): string[] {
  const handler = handlers[type];
  if (!handler) throw new Error(`There is no handler of '${type}'`);
  return compare(eventSchemaOf(type, handler.data), promised, type);
}

/** Keywords that are compared by themselves, or say nothing of what is valid. */
const notCompared = new Set([
  '$schema',
  'title',
  'description',
  'examples',
  'properties',
  'required',
  'items',
]);

function compare(expected: JsonSchema, promised: JsonSchema, path: string): string[] {
  const keywordOf = (schema: JsonSchema, keyword: string) => schema[keyword as keyof JsonSchema];
  const differs = Object.keys(expected).some(
    keyword => !notCompared.has(keyword) && keywordOf(expected, keyword) !== keywordOf(promised, keyword),
  );
  const ofFields = Object.entries(expected.properties ?? {}).flatMap(([name, field]) => {
    const promisedField = promised.properties?.[name];
    const mayLack = expected.required?.includes(name) && !promised.required?.includes(name);
    return !promisedField || mayLack ? [`${path}.${name}`] : compare(field, promisedField, `${path}.${name}`);
  });
  const ofItems = expected.items ? compare(expected.items, promised.items ?? {}, `${path}[]`) : [];
  return [...(differs ? [path] : []), ...ofFields, ...ofItems];
}
