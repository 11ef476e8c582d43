import type { GraphQLError } from 'graphql';
import type { SubgraphEvent } from '../subscription-plan.ts';

/** Receiver of a subscription. After one of the last three calls, and after {@link Upstream.close}, none comes. */
export interface UpstreamSink {
  /** The instance has taken the connection; it may send events from now on. */
  opened(): void;
  event(event: SubgraphEvent): void;
  /** The events begin after this cursor. */
  start(cursor: string): void;
  completed(): void;
  /** The subgraph does not run the subscription. */
  refused(error: GraphQLError): void;
  /** The connection was lost, or could not be opened; `begun` when the subgraph may have sent events. */
  lost(reason: { readonly begun: boolean; readonly cause: unknown }): void;
}

/** One subscription of a subgraph, open. */
export interface Upstream {
  close(): void;
}
