import { readSetting } from '../platform/setting.ts';
import { databaseUrlVariable, type ServiceName, serviceNames } from '../services.ts';
import { createRoles } from './roles/create.ts';
import { runAsScript } from './script.ts';
import { databaseUrl } from './service-folder.ts';

/** Environment variable that holds the URL of a service's own role: `ORDERS_SERVICE_DATABASE_URL` for orders. */
function serviceUrlVariable(service: ServiceName): string {
  return databaseUrlVariable(service).replace('_DATABASE_URL', '_SERVICE_DATABASE_URL');
}

function required(variable: string, is: string): string {
  const value = readSetting(variable, process.env);
  if (value === undefined) throw new Error(`${variable} is not set; set it to the URL of ${is}`);
  return value;
}

await runAsScript(import.meta.url, async () => {
  const databases = serviceNames.map(service => ({
    service,
    ownerUrl: databaseUrl(service),
    serviceUrl: required(serviceUrlVariable(service), `the role that ${service} has`),
  }));
  await createRoles(required('POSTGRES_ADMIN_URL', "PostgreSQL's superuser"), databases);
  for (const { service, ownerUrl, serviceUrl } of databases)
    console.log(
      `${service}: owned by ${new URL(ownerUrl).username}, used by ${new URL(serviceUrl).username}`,
    );
});
