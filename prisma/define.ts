import { defineConfig, type PrismaConfig } from 'prisma/config';
import { readSetting } from '../platform/setting.ts';
import { databaseUrlVariable, type ServiceName } from '../services.ts';
import { serviceFolder } from './service-folder.ts';

/**
 * Describes a service to the Prisma CLI, for `npx prisma <command> --config prisma/<service>/prisma.config.ts`.
 * Without a database URL in the environment, only commands that need no database work (`generate`, `validate`).
 */
export function definePrismaConfig(service: ServiceName): PrismaConfig {
  const { schemaDir, migrationsDir } = serviceFolder(service);
  const url = readSetting(databaseUrlVariable(service), process.env);
  return defineConfig({
    schema: schemaDir,
    migrations: { path: migrationsDir },
    ...(url && { datasource: { url } }),
  });
}
