import type { Caller } from '../caller.ts';

/** Context of every operation in a subgraph. */
export interface SubgraphOperationContext {
  /** Caller of the operation; undefined for nobody. */
  readonly caller: Caller | undefined;
  /** Set by a subscription that can be resumed: the cursor after which its events begin. */
  startCursor?: Promise<string>;
}
