import { existsSync, realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/**
 * Runs `main` when the module was started from the command line, and not when it was imported.
 * A failure prints its message and sets exit code 1.
 *
 * @param moduleUrl the caller's `import.meta.url`
 * @param main gets the arguments of the command line
 */
export async function runAsScript(moduleUrl: string, main: (args: string[]) => Promise<void>): Promise<void> {
  const [, script = '', ...args] = process.argv;
  if (!existsSync(script) || realpathSync(script) !== fileURLToPath(moduleUrl)) return;

  try {
    await main(args);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}
