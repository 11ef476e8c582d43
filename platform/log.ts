import { type DestinationStream, type Logger, pino } from 'pino';
import { currentTrace, traceIdOf } from './trace-context.ts';

export type { Logger } from 'pino';

/**
 * Makes a logger that writes one JSON object a line to standard output, with `service` on each, and `traceId` on what is
 * logged in a trace.
 */
export function createLogger(
  service: string,
  {
    level = 'info',
    destination = standardOutput(),
  }: { level?: string; destination?: DestinationStream } = {},
): Logger {
  const options = {
    level,
    base: { service },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    serializers: { err: serializeError },
    mixin: describeTrace,
    redact: ['req.headers.authorization', 'headers.authorization'],
  };
  return pino(options, destination);
}

/**
 * Standard output, which may be closed by whoever reads it. pino's own writer (sonic-boom 4.2.1) then tries again without
 * end, and blocks the process; Node's stream reports an error, and what can't be read any more is dropped.
 */
function standardOutput(): DestinationStream {
  if (!process.stdout.listeners('error').includes(ignoreBrokenPipe))
    process.stdout.on('error', ignoreBrokenPipe);
  return process.stdout;
}

function ignoreBrokenPipe(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error;
}

function describeTrace(): object {
  const trace = currentTrace();
  return trace ? { traceId: traceIdOf(trace) } : {};
}

/** Writes the fields of an error that help to find it; drivers hang whole connections on theirs. */
function serializeError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { name, message, stack, cause } = error;
  const code = (error as NodeJS.ErrnoException).code;
  return {
    type: name,
    message,
    ...(code === undefined ? {} : { code }),
    stack,
    ...(cause === undefined ? {} : { cause: serializeError(cause) }),
  };
}

/** A logger that writes nothing, for tests. */
export const silentLog: Logger = pino({ level: 'silent' });
