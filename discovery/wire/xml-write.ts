import { carriedFields, type InstancePort } from '../registry/instance.ts';
import type { Lease } from '../registry/lease.ts';
import type { ApplicationList } from './applications.ts';
import { emptyMetadata, writeLeaseInfo } from './json.ts';
import { encodeElementName } from './xml-names.ts';

const escapes: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
};

function escapeXml(text: string): string {
  return text.replace(/[&<>"']/g, character => escapes[character] ?? character);
}

function element(name: string, value: string | number): string {
  return `<${name}>${typeof value === 'number' ? value : escapeXml(value)}</${name}>`;
}

function portElement(name: string, { number, enabled }: InstancePort): string {
  return `<${name} enabled="${enabled}">${number}</${name}>`;
}

function mapElement(name: string, map: Readonly<Record<string, string>>): string {
  const entries = Object.entries(map).map(([key, value]) => element(encodeElementName(key), value));
  if (entries.length === 0) return `<${name} class="${emptyMetadata['@class']}"/>`;
  return `<${name}>${entries.join('')}</${name}>`;
}

/** An instance's XML before and after the time of the last renewal, which alone changes in a lease. */
const partsByLease = new WeakMap<Lease, readonly [string, string]>();

/** Writes an instance as Eureka's XML. The override's name is in lower case here, as Netflix's server has it. */
export function instanceXml(lease: Lease): string {
  let parts = partsByLease.get(lease);
  if (!parts) {
    parts = [beforeRenewal(lease), afterRenewal(lease)];
    partsByLease.set(lease, parts);
  }
  return `${parts[0]}<lastRenewalTimestamp>${Math.round(lease.renewedAtMs)}</lastRenewalTimestamp>${parts[1]}`;
}

function beforeRenewal(lease: Lease): string {
  const { info, status, override = 'UNKNOWN' } = lease;
  const { className, name, metadata } = info.dataCenter;
  const { renewalIntervalInSecs, durationInSecs, registrationTimestamp } = writeLeaseInfo(lease);
  return [
    '<instance>',
    element('instanceId', info.instanceId),
    element('hostName', info.hostName),
    element('app', info.app),
    element('ipAddr', info.ipAddr),
    element('status', status),
    element('overriddenstatus', override),
    portElement('port', info.port),
    portElement('securePort', info.securePort),
    element('countryId', info.countryId),
    `<dataCenterInfo class="${escapeXml(className)}">${element('name', name)}`,
    metadata ? mapElement('metadata', metadata) : '',
    '</dataCenterInfo><leaseInfo>',
    element('renewalIntervalInSecs', renewalIntervalInSecs),
    element('durationInSecs', durationInSecs),
    element('registrationTimestamp', registrationTimestamp),
  ].join('');
}

function afterRenewal(lease: Lease): string {
  const { info, updatedAtMs, lastAction } = lease;
  const { evictionTimestamp, serviceUpTimestamp } = writeLeaseInfo(lease);
  return [
    element('evictionTimestamp', evictionTimestamp),
    element('serviceUpTimestamp', serviceUpTimestamp),
    '</leaseInfo>',
    mapElement('metadata', info.metadata),
    ...carriedFields.map(field => (info[field] === undefined ? '' : element(field, info[field]))),
    element('isCoordinatingDiscoveryServer', 'false'),
    element('lastUpdatedTimestamp', Math.round(updatedAtMs)),
    element('lastDirtyTimestamp', info.lastDirtyTimestampMs),
    element('actionType', lastAction),
    '</instance>',
  ].join('');
}

/** Writes one application as Eureka's XML. */
export function applicationXml(name: string, leases: readonly Lease[]): string {
  return `<application>${element('name', name)}${leases.map(instanceXml).join('')}</application>`;
}

/** Writes a list of applications as Eureka's XML. */
export function applicationsXml({ hashcode, leasesByApp }: ApplicationList): string {
  const applications = [...leasesByApp].map(([name, leases]) => applicationXml(name, leases));
  return (
    `<applications><versions__delta>1</versions__delta><apps__hashcode>${hashcode}</apps__hashcode>` +
    `${applications.join('')}</applications>`
  );
}
