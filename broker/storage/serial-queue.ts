/** Makes a queue that runs tasks one after another; one that fails does not keep back those after it. */
export function createSerialQueue(): <T>(task: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return task => {
    const result = last.then(task);
    last = result.catch(() => {});
    return result;
  };
}
