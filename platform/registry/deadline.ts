/**
 * Runs a call that may take so long and no longer, and that ends when its caller gives up. Nothing of it stays
 * behind on the caller's signal, which may live as long as the process (`AbortSignal.any` keeps an entry there for
 * each call, nodejs/node#54614).
 *
 * @param timeoutMs time for the whole call
 */
export async function withDeadline<T>(
  { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal?: AbortSignal | undefined },
  call: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted();
  const attempt = new AbortController();
  const giveUp = () => attempt.abort(signal?.reason);
  const timer = setTimeout(() => attempt.abort(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
  signal?.addEventListener('abort', giveUp, { once: true });
  try {
    return await call(attempt.signal);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', giveUp);
  }
}
