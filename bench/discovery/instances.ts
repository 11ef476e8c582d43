import type { Pool } from 'undici';

const apps = 50;

/** Application of the n-th instance. */
export function appOf(index: number): string {
  return `SERVICE-${index % apps}`;
}

/** Id of the n-th instance. */
export function idOf(index: number): string {
  return `10.0.${index >> 8}.${index & 255}:${appOf(index).toLowerCase()}:8080`;
}

/** The n-th instance as a service of this system registers it, about 1 KB. */
export function registrationOf(index: number): string {
  const host = `10.0.${index >> 8}.${index & 255}`;
  return JSON.stringify({
    instance: {
      instanceId: idOf(index),
      hostName: host,
      app: appOf(index),
      ipAddr: host,
      status: 'UP',
      overriddenStatus: 'UNKNOWN',
      port: { $: 8080, '@enabled': 'true' },
      securePort: { $: 443, '@enabled': 'false' },
      countryId: 1,
      dataCenterInfo: { '@class': 'com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo', name: 'MyOwn' },
      leaseInfo: { renewalIntervalInSecs: 30, durationInSecs: 90 },
      metadata: {
        subgraph: appOf(index).toLowerCase(),
        'graphql.path': '/graphql',
        'schema.hash': 'f'.repeat(64),
        'management.port': '8081',
        version: '1.0.0',
      },
      homePageUrl: `http://${host}:8080/`,
      statusPageUrl: `http://${host}:8081/actuator/info`,
      healthCheckUrl: `http://${host}:8081/actuator/health`,
      vipAddress: appOf(index).toLowerCase(),
      secureVipAddress: appOf(index).toLowerCase(),
      lastDirtyTimestamp: '1700000000000',
    },
  });
}

/** Registers the n-th instance. @throws Error when the registry does not take it */
export async function registerInstance(pool: Pool, index: number): Promise<void> {
  const { statusCode, body } = await pool.request({
    method: 'POST',
    path: `/eureka/apps/${appOf(index)}`,
    headers: { 'content-type': 'application/json' },
    body: registrationOf(index),
  });
  await body.dump();
  if (statusCode !== 204) throw new Error(`Registering expected 204, but got ${statusCode}`);
}

/** Renews the n-th instance. @throws Error when the registry does not know it */
export async function renewInstance(pool: Pool, index: number): Promise<void> {
  const { statusCode, body } = await pool.request({
    method: 'PUT',
    path: `/eureka/apps/${appOf(index)}/${idOf(index)}?status=UP&lastDirtyTimestamp=1700000000000`,
  });
  await body.dump();
  if (statusCode !== 200) throw new Error(`Renewing expected 200, but got ${statusCode}`);
}
