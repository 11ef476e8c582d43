import type { DocumentNode } from 'graphql';

/** An operation that clients send. */
export interface SeenOperation {
  readonly document: DocumentNode;
  readonly queryHash: string;
  readonly operationName: string | undefined;
}
