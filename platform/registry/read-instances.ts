import { isIP } from 'node:net';
import * as z from 'zod';
import { anyHost, type InstanceHosts } from './host.ts';
import {
  type InstanceChange,
  instanceStatuses,
  misleadingPath,
  type RegistryDelta,
  type RemovalReason,
  type ServiceInstance,
} from './instance.ts';

const wirePort = z
  .object({ $: z.coerce.number(), '@enabled': z.union([z.boolean(), z.string()]).optional() })
  .optional();

/** The part of an instance's JSON that clients read; everything else is let through unread. */
const wireInstance = z.object({
  instanceId: z.string().optional(),
  hostName: z.string(),
  app: z.string(),
  status: z.enum(instanceStatuses).catch('UNKNOWN'),
  port: wirePort,
  securePort: wirePort,
  metadata: z.record(z.string(), z.unknown()).nullish(),
  lastDirtyTimestamp: z.coerce.number().catch(0),
});

/**
 * Reads `{ instance: … }`'s inside as Netflix's and our server write it. One that can't be read has an `addressFault`: it
 * counts for the registry's hash, and does not keep the others from being read.
 *
 * @param hosts places where instances may be; one elsewhere has an `addressFault` too
 */
export function parseInstance(wire: unknown, hosts: InstanceHosts = anyHost): ServiceInstance {
  const { success, data, error } = wireInstance.safeParse(wire);
  return success ? readInstance(data, hosts) : unreadableInstance(wire, error);
}

function readInstance(read: z.infer<typeof wireInstance>, hosts: InstanceHosts): ServiceInstance {
  const secure = isEnabled(read.securePort) && !isEnabled(read.port);
  const port = (secure ? read.securePort?.$ : read.port?.$) ?? 0;
  const metadata = readMetadata(read.metadata ?? {});
  const addressFault = addressFaultOf({ host: read.hostName, port, metadata }, hosts);
  return {
    id: read.instanceId ?? read.hostName,
    app: read.app.toUpperCase(),
    host: isIP(read.hostName) === 6 ? `[${read.hostName}]` : read.hostName,
    port,
    secure,
    status: read.status,
    metadata,
    lastDirtyTimestampMs: read.lastDirtyTimestamp,
    ...(addressFault === undefined ? {} : { addressFault }),
  };
}

/** Names of an instance, which are read whatever else is wrong with it. */
const wireNames = z
  .object({
    instanceId: z.string().catch('unknown'),
    app: z.string().catch('unknown'),
    status: wireInstance.shape.status,
  })
  .catch({ instanceId: 'unknown', app: 'unknown', status: 'UNKNOWN' });

function unreadableInstance(wire: unknown, error: z.ZodError): ServiceInstance {
  const { instanceId, app, status } = wireNames.parse(wire);
  return {
    id: instanceId,
    app: app.toUpperCase(),
    host: '',
    port: 0,
    secure: false,
    status,
    metadata: {},
    lastDirtyTimestampMs: 0,
    addressFault: error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; '),
  };
}

const maxPort = 65_535;

/**
 * URLs are built of what an instance says of itself, and get the caller's token. Our registry checks it; another Eureka
 * does not, and a path of `@example.com/` would lead elsewhere.
 */
function addressFaultOf(
  { host, port, metadata }: Pick<ServiceInstance, 'host' | 'port' | 'metadata'>,
  hosts: InstanceHosts,
): string | undefined {
  const expected = hosts.faultOf(host);
  if (expected !== undefined) return `hostName must be ${expected}; it is ${quote(host)}`;
  if (!Number.isInteger(port) || port < 0 || port > maxPort)
    return `port must be a whole number from 0 to ${maxPort}; it is ${port}`;
  const path = misleadingPath(metadata);
  return path && `metadata.${path.key} must be a path that begins with one /; it is ${quote(path.value)}`;
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 100));
}

function isEnabled(port: z.infer<typeof wirePort>): boolean {
  return port !== undefined && String(port['@enabled'] ?? 'true') === 'true';
}

/** Netflix's server marks an empty map with the name of its Java class. What is no text, number or flag is nobody's to read. */
function readMetadata(metadata: Record<string, unknown>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(metadata)
      .filter(([key, value]) => key !== '@class' && typeof value !== 'object')
      .map(([key, value]) => [key, String(value)]),
  );
}

const oneOrMany = <T extends z.ZodType>(item: T) => z.union([z.array(item), item.transform(one => [one])]);

const wireApplications = z.object({
  applications: z.object({
    apps__hashcode: z.string().catch(''),
    application: oneOrMany(z.object({ instance: oneOrMany(z.unknown()) })).optional(),
  }),
});

/** Reads the answer of `GET /apps`: every instance of every application. @throws ZodError */
export function parseApplications(wire: unknown, hosts?: InstanceHosts): ServiceInstance[] {
  const { application = [] } = wireApplications.parse(wire).applications;
  return application.flatMap(({ instance }) => instance.map(each => parseInstance(each, hosts)));
}

/** Reads the answer of `GET /apps/delta`. @throws ZodError */
export function parseDelta(wire: unknown, hosts?: InstanceHosts): RegistryDelta {
  const { application = [], apps__hashcode } = wireApplications.parse(wire).applications;
  const changes = application.flatMap(({ instance }) => instance.map(each => parseChange(each, hosts)));
  return { changes, hashcode: apps__hashcode };
}

const wireLease = z.object({
  leaseInfo: z.object({
    durationInSecs: z.coerce.number(),
    lastRenewalTimestamp: z.coerce.number(),
    evictionTimestamp: z.coerce.number(),
  }),
});

/** Reads an instance with its `actionType`. */
export function parseChange(wire: unknown, hosts?: InstanceHosts): InstanceChange {
  const instance = parseInstance(wire, hosts);
  if ((wire as { actionType?: unknown } | null)?.actionType !== 'DELETED')
    return { instance, deleted: false };
  return { instance, deleted: true, reason: removalReasonOf(wire) };
}

/** An instance that goes before its lease has run out has said so; Eureka does not write it down otherwise. */
function removalReasonOf(wire: unknown): RemovalReason {
  const lease = wireLease.safeParse(wire).data?.leaseInfo;
  if (!lease) return 'lost';
  const unrenewedMs = lease.evictionTimestamp - lease.lastRenewalTimestamp;
  return unrenewedMs < lease.durationInSecs * 1000 ? 'deregistered' : 'lost';
}
