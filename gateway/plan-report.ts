import { prettyFormatQueryPlan, type QueryPlan } from '@apollo/query-planner';
import { createSecretCheck } from '../platform/secret.ts';

/** Header by which an operator asks for the query plan; Apollo Router's. */
export const planHeader = 'apollo-expose-query-plan';

/** One request to an instance, as the operator sees it. */
export interface FetchReport {
  readonly subgraph: string;
  /** Id of the instance in the registry. */
  readonly instance: string;
  readonly operation: string;
  /** Since the operation began. */
  readonly startMs: number;
  readonly durationMs: number;
  /** Entities that were asked for; absent for root fields. */
  readonly representations?: number | undefined;
  readonly requestBytes: number;
  /** Absent when there was no answer. */
  readonly responseBytes?: number | undefined;
  /** HTTP status. */
  readonly status?: number | undefined;
}

/** Report of one run of an operation for operators: its plan, and each request that it took, also those tried again. */
export class PlanReport {
  readonly #fetches: FetchReport[] = [];
  readonly #beganAtMs = performance.now();

  /** Notes the beginning of a request. @returns notes its end */
  begin(
    fetch: Pick<FetchReport, 'subgraph' | 'instance' | 'operation' | 'representations' | 'requestBytes'>,
  ): (answer?: { readonly status: number; readonly text: string }) => void {
    const startedAtMs = performance.now();
    return answer => {
      this.#fetches.push({
        ...fetch,
        startMs: rounded(startedAtMs - this.#beganAtMs),
        durationMs: rounded(performance.now() - startedAtMs),
        status: answer?.status,
        responseBytes: answer && Buffer.byteLength(answer.text),
      });
    };
  }

  /** The plan as text and as it is, and the requests in the order of their ends. */
  describe(plan: QueryPlan | undefined) {
    return { text: plan && prettyFormatQueryPlan(plan), object: plan, fetches: this.#fetches };
  }
}

/** Creates the check whether a request may see its plan: its header must have the secret. Without a secret, none may. */
export function createPlanAccess(secret: string | undefined): (header: unknown) => boolean {
  if (secret === undefined) return () => false;
  const isSecret = createSecretCheck(secret);
  return header => typeof header === 'string' && isSecret(header);
}

function rounded(ms: number): number {
  return Math.round(ms * 100) / 100;
}
