import type * as z from 'zod';

/** Facts about a subgraph that the code generation cannot read from its schema. */
export interface CodegenInput {
  /**
   * Type of the parent that resolvers of a GraphQL type receive, where it is not the shape of that type: a row of the
   * store, or the key by which another subgraph refers to it. Written `<file>#<export>`, from the folder `generated/`.
   */
  readonly mappers: Readonly<Record<string, string>>;
  /** Schema of each event's data, by the event's type; its JSON Schema is written to `events/<type>.schema.json`. */
  readonly events?: Readonly<Record<string, z.ZodType>>;
}
