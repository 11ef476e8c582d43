import * as z from 'zod';

/**
 * The JSON Schema (draft 2020-12) of an event's data, as its readers may rely on it: fields that it does not name are
 * allowed.
 *
 * @param type the event's type, which becomes the title
 */
export function eventSchemaOf(type: string, data: z.ZodType): object {
  const { $schema, ...schema } = z.toJSONSchema(data, { target: 'draft-2020-12', io: 'input' });
  return { $schema, title: type, ...schema };
}
