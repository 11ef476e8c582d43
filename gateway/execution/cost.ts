import type { DocumentNode, GraphQLError, GraphQLObjectType, OperationDefinitionNode } from 'graphql';
import type { DataObject } from './data.ts';
import type { Selection } from './shape.ts';

/** Costs of the operations of one graph. */
export interface CostModel {
  /** Compiles the estimate of an operation. @returns the cost for coerced values of variables */
  estimateOf(
    document: DocumentNode,
    operation: OperationDefinitionNode,
  ): (variables: Readonly<Record<string, unknown>>) => number;
  /** Compiles the count of what an operation has cost. @returns the cost of the answers of all fetches, merged */
  actualOf(type: GraphQLObjectType, selection: Selection): (root: DataObject) => number;
}

/** Account that one run is charged to. */
export interface CostAccount {
  /** Takes the estimate before anything is fetched. @returns the error with which the operation is refused */
  charge(estimate: number): Promise<GraphQLError | undefined>;
  /** Takes what the answers have cost. */
  settle(actual: number): void;
}
