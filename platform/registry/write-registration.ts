import { isIPv6 } from 'node:net';
import { type InstanceStatus, metadataKeys } from './instance.ts';

/** Facts that a process registers. */
export interface Registration {
  readonly service: string;
  readonly host: string;
  readonly port: number;
  /** True if the port speaks TLS. @default false */
  readonly isSecure?: boolean | undefined;
  readonly metadata: Readonly<Record<string, string>>;
  /** Seconds between renewals, and seconds without one after which the instance is evicted. */
  readonly lease: { readonly renewalIntervalSeconds: number; readonly durationSeconds: number };
}

/** Id of the instance that a registration describes. */
export function instanceIdOf({ host, service, port }: Registration): string {
  return `${host}:${service}:${port}`;
}

/** Writes a registration as Eureka's `{ instance: … }`. */
export function writeRegistration(
  registration: Registration,
  status: InstanceStatus,
  dirtyTimestampMs: number,
) {
  const { service, host, port, isSecure = false, metadata, lease } = registration;
  const managementPort = metadata[metadataKeys.managementPort] ?? String(port);
  const hostInUrl = isIPv6(host) ? `[${host}]` : host;
  const actuator = `http://${hostInUrl}:${managementPort}/actuator`;
  return {
    instance: {
      instanceId: instanceIdOf(registration),
      hostName: host,
      app: service.toUpperCase(),
      ipAddr: host,
      status,
      overriddenStatus: 'UNKNOWN',
      port: { $: port, '@enabled': String(!isSecure) },
      securePort: { $: isSecure ? port : 443, '@enabled': String(isSecure) },
      countryId: 1,
      dataCenterInfo: {
        '@class': 'com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo',
        name: 'MyOwn',
      },
      leaseInfo: {
        renewalIntervalInSecs: lease.renewalIntervalSeconds,
        durationInSecs: lease.durationSeconds,
      },
      metadata,
      homePageUrl: `${isSecure ? 'https' : 'http'}://${hostInUrl}:${port}/`,
      statusPageUrl: `${actuator}/info`,
      healthCheckUrl: `${actuator}/health`,
      vipAddress: service,
      secureVipAddress: service,
      isCoordinatingDiscoveryServer: 'false',
      lastDirtyTimestamp: String(dirtyTimestampMs),
    },
  };
}
