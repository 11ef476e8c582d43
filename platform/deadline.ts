/**
 * Runs a call that may take so long and no longer, and that ends when its caller gives up. It ends at once, also where
 * the call itself listens to its signal only later, as one of undici does that is still connecting. Nothing of it stays
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
  const over = new Promise<never>((_resolve, reject) => {
    attempt.signal.addEventListener('abort', () => reject(attempt.signal.reason as Error), { once: true });
  });
  const giveUp = () => attempt.abort(signal?.reason);
  const timer = setTimeout(() => attempt.abort(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
  signal?.addEventListener('abort', giveUp, { once: true });
  try {
    return await Promise.race([call(attempt.signal), over]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', giveUp);
  }
}

/**
 * Waits for a promise of a library that takes no signal, but not longer than a time in ms. What it waits for goes on.
 *
 * @param what names the call in the error, such as `Leaving the group`
 * @throws Error when the time is over
 */
export async function withTimeout<T>(promise: Promise<T>, timeoutMs: number, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took longer than ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
