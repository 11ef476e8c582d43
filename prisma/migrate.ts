import type { ServiceName } from '../services.ts';
import { type Deployment, deploy } from './migrate/deploy.ts';
import { runAsScript } from './script.ts';
import { serviceFolder } from './service-folder.ts';

export type { Deployment } from './migrate/deploy.ts';
export { MigrationError } from './migrate/error.ts';

/**
 * Brings a service's database up to its migrations: creates the database when the server does not have it, and applies
 * what it lacks. When there is nothing to do, one query tells so. Several processes may call it at once.
 *
 * @param options.databaseUrl `postgresql://user:password@host:port/database`
 * @throws MigrationError when the database is ahead of the migrations or has diverged from them, when an applied
 * migration was edited, and when a migration fails or failed before
 */
export async function deployMigrations(options: {
  service: ServiceName;
  databaseUrl: string;
}): Promise<Deployment> {
  return await deploy(serviceFolder(options.service), options.databaseUrl);
}

await runAsScript(import.meta.url, async args => {
  const { runCommandLine } = await import('./migrate/cli.ts');
  if (!(await runCommandLine(args))) process.exitCode = 1;
});
