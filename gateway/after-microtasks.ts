/**
 * Makes a function that calls back when all microtasks are done, also those that microtasks make: a tick that is asked for in a
 * microtask comes after them, and one that is asked for elsewhere may come before. The function allocates nothing of its own,
 * so that it is made once where it is called often.
 */
export function afterMicrotasks(callback: () => void): () => void {
  const askForTick = () => process.nextTick(callback);
  return () => queueMicrotask(askForTick);
}
