import { type Caller, type CallerTokens, createTokenSource } from '../../platform/caller.ts';

/** Caller of an operation, with the token by which subgraphs know the caller. */
export interface OperationCaller {
  readonly caller: Caller | undefined;
  /** The same for equal callers, and for no others. */
  readonly key: string;
  /** Time at which the client's token expires, in ms since 1970; undefined for never. */
  readonly expiresAtMs?: number;
  /** Calls back, once, when the client's token is denied from now on. @returns what stops that */
  onDenied?(callback: () => void): () => void;
  /** A token for one subgraph, good for at least half its lifetime; undefined for nobody. */
  token(subgraph: string): Promise<string | undefined>;
}

/** An operation that nobody in particular asks for. */
export const anonymous: OperationCaller = {
  caller: undefined,
  key: '',
  token: () => Promise.resolve(undefined),
};

/** Makes the caller of operations. */
export function createOperationCaller(
  caller: Caller,
  tokens: CallerTokens,
  expiresAtMs: number,
): OperationCaller {
  const { kind, id, scopes } = caller;
  const key = JSON.stringify([kind, id, [...scopes].sort()]);
  return { caller, key, expiresAtMs, token: createTokenSource(tokens, caller) };
}
