import { Supergraph } from '@apollo/federation-internals';
import { CriticalityLevel, diff } from '@graphql-inspector/core';
import type { GraphQLSchema } from 'graphql';

/** One difference between two graphs, as clients see them. */
export interface SchemaChange {
  /** Kind of change, such as `FIELD_REMOVED`. */
  readonly type: string;
  readonly message: string;
  /** Place of the change: `Product.name`. */
  readonly path: string;
  /** True if operations that were valid may not be so any more, or behave otherwise. */
  readonly severity: 'breaking' | 'dangerous' | 'safe';
}

const severityByLevel = {
  [CriticalityLevel.Breaking]: 'breaking',
  [CriticalityLevel.Dangerous]: 'dangerous',
  [CriticalityLevel.NonBreaking]: 'safe',
} as const;

/** Compares what clients see of two supergraphs. */
export async function diffSupergraphs(beforeSdl: string, afterSdl: string): Promise<SchemaChange[]> {
  const changes = await diff(clientSchemaOf(beforeSdl), clientSchemaOf(afterSdl));
  return changes.map(({ type, message, path = '', criticality }) => ({
    type: String(type),
    message,
    path,
    severity: severityByLevel[criticality.level],
  }));
}

function clientSchemaOf(supergraphSdl: string): GraphQLSchema {
  return Supergraph.build(supergraphSdl, { validateSupergraph: false }).apiSchema().toGraphQLJSSchema();
}
