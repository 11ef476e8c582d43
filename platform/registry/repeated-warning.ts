import type { Logger } from '../log.ts';

/** A warning of something that is tried again and again: it is logged when it begins or changes, then at debug. */
export interface RepeatedWarning {
  warn(fields: Readonly<Record<string, unknown>>, message: string): void;
  /** Logs that all is well again, if it was not. */
  over(message: string): void;
}

/** Makes a warning that does not fill the log. */
export function createRepeatedWarning(log: Logger): RepeatedWarning {
  let last: string | undefined;
  return {
    warn(fields, message) {
      log[message === last ? 'debug' : 'warn'](fields, message);
      last = message;
    },
    over(message) {
      if (last !== undefined) log.info(message);
      last = undefined;
    },
  };
}
