import { createHash } from 'node:crypto';
import { BoundedMap } from '../../platform/bounded-map.ts';
import type { ExecutableOperation } from '../execution/operation.ts';

/** Compiled operations of one graph. */
export interface OperationCache {
  get(key: string): ExecutableOperation | undefined;
  set(key: string, operation: ExecutableOperation): void;
}

/** Makes a cache that forgets the operations that were not used for the longest. */
export function createOperationCache(maxOperations: number): OperationCache {
  const operations = new BoundedMap<string, ExecutableOperation>(maxOperations);
  return {
    get(key) {
      const operation = operations.get(key);
      if (operation) {
        operations.delete(key);
        operations.set(key, operation);
      }
      return operation;
    },
    set: (key, operation) => void operations.set(key, operation),
  };
}

/** Key of an operation: a document, by Apollo Server's hash of it, and the name of one of its operations. */
export function operationKeyOf(queryHash: string, operationName: string | undefined): string {
  return operationName
    ? createHash('sha256').update(queryHash).update(operationName).digest('hex')
    : queryHash;
}
