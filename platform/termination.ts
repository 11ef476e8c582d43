/**
 * Calls `stop` when this process is to end: at SIGTERM, SIGINT or SIGHUP, and when the process that opened an IPC channel
 * to it is gone, even if it went before this call.
 */
export function onTermination(stop: (reason: string) => void): void {
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.once(signal, () => stop(signal));
  const orphaned = () => stop('the process that started it is gone');
  // Undefined without a channel, false after it closed.
  if (process.connected === false) orphaned();
  else process.once('disconnect', orphaned);
}
