import type { DocumentNode, GraphQLError, OperationDefinitionNode } from 'graphql';

/** Limits what operations may cost. */
export interface CostLimit {
  /** Compiles the check of an operation. @returns the error of values of variables with which it costs too much */
  compile(
    document: DocumentNode,
    operation: OperationDefinitionNode,
  ): (variables: Readonly<Record<string, unknown>>) => GraphQLError | undefined;
}
