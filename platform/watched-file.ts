import { readFileSync, statSync } from 'node:fs';

/** Time for which a file is not looked at again, in ms. */
const lookIntervalMs = 1_000;

/**
 * Reads a file, and again when it has changed. It is looked at when its value is asked for, and not more often than each
 * second. One that can't be read any more, or is not valid, changes nothing.
 *
 * @returns gives the value that counts now
 * @throws what `readFileSync` and `parse` throw at the first reading
 */
export function watchFile<T>(path: string | URL, parse: (text: string) => T): () => T {
  let readOfMs = statSync(path).mtimeMs;
  let value = parse(readFileSync(path, 'utf8'));
  let lookedAtMs = performance.now();

  function look(): void {
    const changedAtMs = statSync(path).mtimeMs;
    if (changedAtMs === readOfMs) return;
    value = parse(readFileSync(path, 'utf8'));
    readOfMs = changedAtMs;
  }

  return () => {
    if (performance.now() - lookedAtMs > lookIntervalMs) {
      lookedAtMs = performance.now();
      try {
        look();
      } catch {
        // It may be half written; a later look finds the rest.
      }
    }
    return value;
  };
}
