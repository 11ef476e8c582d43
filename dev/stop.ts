/** Time between two looks whether npm is still there, in ms. */
const lookForNpmEveryMs = 250;

/**
 * Aborts when this process is told to end, by SIGINT, SIGTERM or SIGHUP, and when the `npm run` that started it is gone.
 * The reason says which it was. From the call on, a terminal that has been closed is no error for those who write to it.
 */
export function stopRequests(): AbortSignal {
  const requests = new AbortController();
  const stop = (reason: string) => requests.abort(new Error(reason));
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => stop(`Stopped by ${signal}`));
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
  onNpmGone(() => stop('Stopped because npm has ended'));
  return requests.signal;
}

/**
 * Calls `stop` once the `npm run` that started this process is gone: npm passes SIGINT and SIGTERM on, but no SIGHUP, and
 * nothing when it is killed. A process that npm did not start is left alone.
 */
export function onNpmGone(stop: () => void): void {
  if (!process.env['npm_lifecycle_event']) return;
  const npm = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === npm) return;
    clearInterval(timer);
    stop();
  }, lookForNpmEveryMs);
  timer.unref();
}
