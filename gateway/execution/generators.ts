/**
 * Calls back, once, when a generator has ended: by itself, or because nobody wants more of it, also when nobody has wanted
 * anything yet. A `finally` of its own would not run then.
 */
export function whenEnded<T>(
  generator: AsyncGenerator<T, void, undefined>,
  onEnded: () => void,
): AsyncGenerator<T, void, undefined> {
  let hasEnded = false;
  const end = () => {
    if (!hasEnded) onEnded();
    hasEnded = true;
  };
  return {
    async next() {
      try {
        const result = await generator.next();
        if (result.done) end();
        return result;
      } catch (error) {
        end();
        throw error;
      }
    },
    return(value) {
      end();
      return generator.return(value);
    },
    throw(error) {
      end();
      return generator.throw(error);
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
