import { PorticoError } from '../../platform/errors.ts';
import { metadataKeys, misleadingPath } from '../../platform/registry/instance.ts';
import {
  type CarriedField,
  carriedFields,
  type DataCenter,
  dataCenterNames,
  type InstanceInfo,
  type InstancePort,
  instanceStatuses,
} from '../registry/instance.ts';
import { readInteger, readObject, readText, readWord, refuse, type WireObject } from './fields.ts';
import { checkHost, checkUrl } from './hosts.ts';

const appRule = {
  maxLength: 100,
  pattern: /^[\w.~+-]+$/,
  expected: 'a text of letters, digits and any of . _ ~ + -',
};
const idRule = {
  maxLength: 300,
  pattern: /^[\w.:~@+=,[\]-]+$/,
  expected: 'a text of letters, digits and any of . _ : ~ @ + = , [ ] -',
};
const keyRule = {
  maxLength: 128,
  pattern: /^[\x21-\x7e]+$/,
  expected: 'a text of printable ASCII without blanks',
};
const hostRule = { maxLength: 253 };
const urlRule = { maxLength: 2_048 };
const valueRule = { maxLength: 8_192 };
const maxEntries = 100;
const maxEntriesLength = 32_768;
const portRange = { min: 0, max: 65_535 };
const leaseSecondsRange = { min: 1, max: 86_400 };
const defaultRenewalSeconds = 30;
const defaultDurationSeconds = 90;
const defaultDataCenterClass = 'com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo';

const urlFields: readonly string[] = [
  'homePageUrl',
  'statusPageUrl',
  'healthCheckUrl',
  'secureHealthCheckUrl',
];

/**
 * Reads what an instance says of itself, as JSON or XML had it: `{ instance: { … } }`. The texts for missing fields
 * are those of Netflix's server.
 *
 * @param app application that the request was addressed to
 * @throws PorticoError BAD_USER_INPUT saying which field expected what, and what came
 */
export function readRegistration(body: unknown, app: string, nowMs: number): InstanceInfo {
  const wire = readObject(readObject(body, 'body')?.['instance'], 'instance');
  if (!wire) refuse('body', '{"instance":{…}}', body);
  const hostName = readText(wire['hostName'], 'hostName', hostRule);
  const instanceId = readText(wire['instanceId'], 'instanceId', idRule) ?? hostName;
  if (!instanceId) throw missing('instanceId');
  if (!hostName) throw missing('hostname');
  const ipAddr = readText(wire['ipAddr'], 'ipAddr', hostRule);
  if (!ipAddr) throw missing('ip address');
  const named = readText(wire['app'], 'app', appRule)?.toUpperCase();
  if (!named) throw missing('appName');
  const expected = app.toUpperCase();
  if (named !== expected)
    throw new PorticoError('BAD_USER_INPUT', `Mismatched appName, expecting ${expected} but was ${named}`);
  return {
    app: named,
    instanceId,
    hostName: checkHost(hostName, 'hostName'),
    ipAddr: checkHost(ipAddr, 'ipAddr'),
    dataCenter: readDataCenter(wire),
    status: readWord(wire['status'], 'status', instanceStatuses) ?? 'UP',
    overriddenStatus:
      readWord(wire['overriddenStatus'], 'overriddenStatus', instanceStatuses) ??
      readWord(wire['overriddenstatus'], 'overriddenstatus', instanceStatuses) ??
      'UNKNOWN',
    port: readPort(wire, 'port', { number: 7001, enabled: true }),
    securePort: readPort(wire, 'securePort', { number: 7002, enabled: false }),
    countryId: readInteger(wire['countryId'], 'countryId', { min: 0, max: 10_000 }) ?? 1,
    ...readLease(wire),
    metadata: readMetadata(wire['metadata']),
    ...readCarried(wire),
    lastDirtyTimestampMs:
      readInteger(wire['lastDirtyTimestamp'], 'lastDirtyTimestamp', {
        min: 0,
        max: Number.MAX_SAFE_INTEGER,
      }) ?? Math.round(nowMs),
  };
}

function missing(what: string): PorticoError {
  return new PorticoError('BAD_USER_INPUT', `Missing ${what}`);
}

function readDataCenter(wire: WireObject): DataCenter {
  const center = readObject(wire['dataCenterInfo'], 'dataCenterInfo');
  if (!center) throw missing('dataCenterInfo');
  const name = readWord(center['name'], 'dataCenterInfo.name', dataCenterNames);
  if (!name) throw missing('dataCenterInfo Name');
  const classRule = { maxLength: 200, pattern: /^[\w.$]+$/, expected: 'the name of a Java class' };
  const className = readText(center['@class'], 'dataCenterInfo.@class', classRule) ?? defaultDataCenterClass;
  const metadata = readEntries(center['metadata'], 'dataCenterInfo.metadata');
  return { name, className, ...(Object.keys(metadata).length > 0 && { metadata }) };
}

function readPort(wire: WireObject, field: string, fallback: InstancePort): InstancePort {
  const given = wire[field];
  if (typeof given === 'number' || typeof given === 'string')
    return { number: readInteger(given, field, portRange) ?? fallback.number, enabled: fallback.enabled };
  const port = readObject(given, field);
  if (!port) return fallback;
  const enabled = readWord(port['@enabled'], `${field}.@enabled`, ['true', 'false']);
  return {
    number: readInteger(port['$'], `${field}.$`, portRange) ?? fallback.number,
    enabled: enabled === undefined ? fallback.enabled : enabled === 'true',
  };
}

/** Reads the lease. As in Netflix's `LeaseInfo.Builder`, a time that is not positive stands for the default. */
function readLease(wire: WireObject): { renewalIntervalMs: number; durationMs: number } {
  const lease = readObject(wire['leaseInfo'], 'leaseInfo') ?? {};
  const seconds = (field: string) =>
    Number(lease[field]) <= 0
      ? undefined
      : readInteger(lease[field], `leaseInfo.${field}`, leaseSecondsRange);
  const renewal = seconds('renewalIntervalInSecs') ?? defaultRenewalSeconds;
  const duration = seconds('durationInSecs') ?? Math.max(defaultDurationSeconds, renewal);
  if (duration < renewal)
    refuse('leaseInfo.durationInSecs', `at least renewalIntervalInSecs, ${renewal}`, duration);
  return { renewalIntervalMs: renewal * 1000, durationMs: duration * 1000 };
}

/** Reads an instance's metadata; what callers build URLs from is held to what a URL's part may be. */
export function readMetadata(value: unknown): Record<string, string> {
  const metadata = readEntries(value, 'metadata');
  const { managementPort } = metadataKeys;
  const path = misleadingPath(metadata);
  if (path) refuse(`metadata.${path.key}`, 'a path that begins with one /', path.value);
  readInteger(metadata[managementPort], `metadata.${managementPort}`, { min: 1, max: 65_535 });
  return metadata;
}

function readEntries(value: unknown, field: string): Record<string, string> {
  const given = Object.entries(readObject(value, field) ?? {}).filter(([key]) => key !== '@class');
  if (given.length > maxEntries)
    refuse(`the number of entries of ${field}`, `at most ${maxEntries}`, given.length);
  const entries = Object.fromEntries(
    given.map(([key, text]): [string, string] => {
      if (!readText(key, `${field} key`, keyRule) || key === '__proto__')
        refuse(`${field} key`, 'a name', key);
      return [key, readText(text, `${field}.${key}`, valueRule) ?? ''];
    }),
  );
  const length = Object.entries(entries).reduce((sum, [key, text]) => sum + key.length + text.length, 0);
  if (length > maxEntriesLength)
    refuse(`the length of ${field}`, `at most ${maxEntriesLength} characters`, length);
  return entries;
}

function readCarried(wire: WireObject): Partial<Record<CarriedField, string>> {
  return Object.fromEntries(
    carriedFields.flatMap((field): [string, string][] => {
      const isUrl = urlFields.includes(field);
      const text = readText(wire[field], field, urlRule);
      if (text === undefined) return wire[field] === '' ? [[field, '']] : [];
      return [[field, isUrl ? checkUrl(text, field) : text]];
    }),
  );
}
