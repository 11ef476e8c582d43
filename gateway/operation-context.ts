import type { ApolloServer } from '@apollo/server';
import type { Abortable } from './abort.ts';
import type { CostReport } from './cost/cost-report.ts';
import type { PassedHeaders } from './header-rules.ts';
import type { PlanReport } from './plan-report.ts';
import type { OperationCaller } from './security/operation-caller.ts';
import type { Turn } from './turn.ts';

/** Apollo Server, as the gateway uses it. */
export type Apollo = ApolloServer<OperationContext>;

/** Context of one operation of a client, shared by everything that runs it. */
export interface OperationContext {
  readonly caller: OperationCaller;
  /** Address of the client; empty for the gateway's own runs. */
  readonly address: string;
  readonly headers: PassedHeaders;
  /** Its claim to the process's time. */
  readonly turn: Turn;
  /** Aborted when nobody waits for the answer any more. */
  readonly signal?: Abortable | undefined;
  /** Collects what an operator asked to see of the run. */
  readonly report?: PlanReport | undefined;
  /** Collects what the client asked to know of the costs. */
  readonly costReport?: CostReport | undefined;
}
