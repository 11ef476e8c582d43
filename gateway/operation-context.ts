import type { PlanReport } from './operations/plan-report.ts';
import type { PassedHeaders } from './routing/header-rules.ts';
import type { OperationCaller } from './security/operation-caller.ts';

/** What everything that runs one operation of a client shares. */
export interface OperationContext {
  readonly caller: OperationCaller;
  readonly headers: PassedHeaders;
  /** Aborted when nobody waits for the answer any more. */
  readonly signal?: AbortSignal | undefined;
  /** Collects what an operator asked to see of the run. */
  readonly report?: PlanReport | undefined;
}
