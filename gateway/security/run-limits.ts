import type { GatewayConfig } from '../config.ts';
import type { RunLimits } from '../execution/limits.ts';
import { GatewayError, type GatewayErrorCode, refusalOf } from '../gateway-error.ts';
import type { RefusedCounter } from './operation-limits.ts';

type RunConfig = Pick<
  GatewayConfig,
  | 'OPERATION_MAX_VARIABLE_DEPTH'
  | 'OPERATION_MAX_VARIABLE_VALUES'
  | 'OPERATION_MAX_ERRORS'
  | 'OPERATION_MAX_ANSWER_BYTES'
>;

/** Makes the limits of the runs of operations: their variables, the errors and the size of their answers. */
export function limitRuns(config: RunConfig, refused: RefusedCounter): RunLimits {
  const { OPERATION_MAX_VARIABLE_DEPTH: maxDepth, OPERATION_MAX_VARIABLE_VALUES: maxValues } = config;
  const refuse = (code: GatewayErrorCode, message: string) => {
    refused.inc({ limit: code });
    return refusalOf(new GatewayError(code, message));
  };
  return {
    maxErrors: config.OPERATION_MAX_ERRORS,
    maxAnswerBytes: config.OPERATION_MAX_ANSWER_BYTES,
    checkVariables(variables) {
      const { isTooDeep, values } = measure(variables, maxDepth, maxValues);
      if (isTooDeep)
        return refuse(
          'MAX_VARIABLE_DEPTH_LIMIT',
          `The variables have more than ${maxDepth} values within each other, which is the most (OPERATION_MAX_VARIABLE_DEPTH)`,
        );
      if (values > maxValues)
        return refuse(
          'MAX_VARIABLE_VALUES_LIMIT',
          `The variables have more than ${maxValues} values, which is the most (OPERATION_MAX_VARIABLE_VALUES)`,
        );
      return undefined;
    },
    onExceeded: code => refused.inc({ limit: code }),
  };
}

interface Measure {
  readonly isTooDeep: boolean;
  readonly values: number;
}

/** Counts values, level by level, so that no depth fills the stack. It ends where a limit is exceeded. */
function measure(variables: object, maxDepth: number, maxValues: number): Measure {
  let level: object[] = [variables];
  let values = 0;
  for (let depth = 1; level.length > 0; depth += 1) {
    const next: object[] = [];
    for (const each of level)
      for (const value of Object.values(each)) {
        values += 1;
        if (values > maxValues) return { isTooDeep: false, values };
        if (typeof value === 'object' && value !== null) next.push(value as object);
      }
    if (depth > maxDepth && next.length > 0) return { isTooDeep: true, values };
    level = next;
  }
  return { isTooDeep: false, values };
}
