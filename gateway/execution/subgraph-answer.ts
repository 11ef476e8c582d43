import type { GraphQLFormattedError } from 'graphql';

/** One GraphQL request to a subgraph. */
export interface SubgraphRequest {
  /** Its document. */
  readonly query: string;
  readonly isMutation: boolean;
  /** Entities that are asked for, each as JSON, with which the body ends; undefined for root fields. */
  readonly representations?: readonly string[] | undefined;
  /** The whole request as JSON: https://graphql.github.io/graphql-over-http/draft/#sec-JSON-Encoding */
  readonly body: string;
}

/** A subgraph's answer. A fetch that failed as a whole is an answer with one error and no data. */
export interface SubgraphAnswer {
  readonly data?: Record<string, unknown> | null | undefined;
  readonly errors?: readonly GraphQLFormattedError[] | null | undefined;
  /** Extensions that reach the client, under the subgraph's name. */
  readonly extensions?: Readonly<Record<string, unknown>> | undefined;
}

/** Asks a subgraph. It does not reject: failures are answers. */
export type FetchFromSubgraph = (subgraph: string, request: SubgraphRequest) => Promise<SubgraphAnswer>;
