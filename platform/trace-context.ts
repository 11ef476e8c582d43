import { AsyncLocalStorage } from 'node:async_hooks';

/** The trace that a piece of work belongs to, as it came: https://www.w3.org/TR/trace-context/ */
export interface TraceContext {
  /** `00-<trace id>-<parent id>-<flags>`, lowercase hexadecimal. */
  readonly traceparent: string;
  /** Additions of tracing systems, `key=value` pairs, comma-separated. */
  readonly tracestate?: string;
}

type Headers = Readonly<Record<string, string | string[] | undefined>>;

/**
 * Version, trace id, parent id, flags; a later version than 00 may go on after a dash. It may come with an event, where no
 * HTTP server has looked at it, and is sent on as a header.
 */
const traceparentPattern =
  /^(?!ff)(?!00.{54})[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-[\x20-\x7e]{0,200})?$/;
/** What every vendor must pass on at least; a longer value, or one that no header may have, is dropped. */
const tracestatePattern = /^[\t\x20-\x7e]{1,512}$/;

/** Reads the trace from headers with lowercase names. Undefined without a valid `traceparent`, as the standard says. */
export function readTraceContext({ traceparent, tracestate }: Headers): TraceContext | undefined {
  if (typeof traceparent !== 'string' || !traceparentPattern.test(traceparent)) return undefined;
  const state = Array.isArray(tracestate) ? tracestate.join(',') : tracestate;
  return state && tracestatePattern.test(state) ? { traceparent, tracestate: state } : { traceparent };
}

/** Id of the trace, 32 hexadecimal digits, by which logs of several processes are joined. */
export function traceIdOf({ traceparent }: TraceContext): string {
  return traceparentPattern.exec(traceparent)?.[1] ?? '';
}

const storage = new AsyncLocalStorage<TraceContext>();

/** Runs something, and all that it starts, as part of a trace; without one as it is. */
export function runInTrace<T>(trace: TraceContext | undefined, run: () => T): T {
  return trace ? storage.run(trace, run) : run();
}

/** The trace that the running code is part of. */
export function currentTrace(): TraceContext | undefined {
  return storage.getStore();
}
