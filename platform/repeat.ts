import { pause } from './backoff.ts';
import { type Closable, closeOnce } from './lifecycle.ts';

/**
 * Runs a step again and again until it is closed. Closing waits for the step that runs.
 *
 * @param step handles its own errors, may end early when the signal aborts, and returns the wait until the next run, in ms
 */
export function repeat(step: (signal: AbortSignal) => Promise<number>): Closable {
  const stop = new AbortController();

  async function run(): Promise<void> {
    while (!stop.signal.aborted) await pause(await step(stop.signal), stop.signal);
  }

  const running = run();
  return {
    close: closeOnce(async () => {
      stop.abort();
      await running;
    }),
  };
}
