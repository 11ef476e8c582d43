import {
  type CarriedField,
  carriedFields,
  type InstanceInfo,
  type InstancePort,
} from '../registry/instance.ts';
import type { Lease } from '../registry/lease.ts';
import type { ApplicationList } from './applications.ts';

/**
 * An instance in the shape of Eureka's JSON, string and number types as Netflix's server writes them; what is not
 * known is left out.
 */
export function writeInstance(lease: Lease) {
  const { info } = lease;
  const { className, name, metadata } = info.dataCenter;
  return {
    instanceId: info.instanceId,
    hostName: info.hostName,
    app: info.app,
    ipAddr: info.ipAddr,
    status: lease.status,
    overriddenStatus: lease.override ?? 'UNKNOWN',
    port: writePort(info.port),
    securePort: writePort(info.securePort),
    countryId: info.countryId,
    dataCenterInfo: { '@class': className, name, ...(metadata && { metadata }) },
    leaseInfo: writeLeaseInfo(lease),
    metadata: Object.keys(info.metadata).length === 0 ? emptyMetadata : info.metadata,
    ...writeCarried(info),
    isCoordinatingDiscoveryServer: 'false',
    lastUpdatedTimestamp: String(Math.round(lease.updatedAtMs)),
    lastDirtyTimestamp: String(info.lastDirtyTimestampMs),
    actionType: lease.lastAction,
  };
}

/** An instance in the shape of Eureka's JSON. */
export type WireInstance = ReturnType<typeof writeInstance>;

/** Metadata without entries, as Netflix's server writes it. */
export const emptyMetadata: Readonly<Record<string, string>> = { '@class': 'java.util.Collections$EmptyMap' };

/** The times of a lease, as every form of an instance has them. */
export function writeLeaseInfo({ info, registeredAtMs, renewedAtMs, evictedAtMs, upSinceMs }: Lease) {
  return {
    renewalIntervalInSecs: info.renewalIntervalMs / 1000,
    durationInSecs: info.durationMs / 1000,
    registrationTimestamp: Math.round(registeredAtMs),
    lastRenewalTimestamp: Math.round(renewedAtMs),
    evictionTimestamp: Math.round(evictedAtMs),
    serviceUpTimestamp: Math.round(upSinceMs),
  };
}

function writePort({ number, enabled }: InstancePort) {
  return { $: number, '@enabled': String(enabled) };
}

function writeCarried(info: InstanceInfo): Partial<Record<CarriedField, string>> {
  const carried: Partial<Record<CarriedField, string>> = {};
  for (const field of carriedFields) {
    const text = info[field];
    if (text !== undefined) carried[field] = text;
  }
  return carried;
}

/** The text of {@link writeInstance} before and after the time of the last renewal, which alone changes in a lease. */
const partsByLease = new WeakMap<Lease, readonly [string, string]>();
/** In metadata the value would be in quotes, so that this is the lease's own. */
const renewalTime = /(?<="lastRenewalTimestamp":)\d+/;

/** The text of {@link writeInstance}, fast for an instance that is written again and again. */
export function instanceJson(lease: Lease): string {
  let parts = partsByLease.get(lease);
  if (!parts) {
    const [before = '', after = ''] = JSON.stringify(writeInstance(lease)).split(renewalTime, 2);
    parts = [before, after];
    partsByLease.set(lease, parts);
  }
  return parts[0] + Math.round(lease.renewedAtMs) + parts[1];
}

/** Writes one application as Eureka's JSON. */
export function applicationJson(name: string, leases: readonly Lease[]): string {
  return `{"application":${applicationBody(name, leases)}}`;
}

/** Writes a list of applications as Eureka's JSON. */
export function applicationsJson({ hashcode, leasesByApp }: ApplicationList): string {
  const applications = [...leasesByApp].map(([name, leases]) => applicationBody(name, leases));
  return `{"applications":{"versions__delta":"1","apps__hashcode":"${hashcode}","application":[${applications.join(',')}]}}`;
}

function applicationBody(name: string, leases: readonly Lease[]): string {
  return `{"name":"${name}","instance":[${leases.map(instanceJson).join(',')}]}`;
}
