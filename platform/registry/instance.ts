import { isIP } from 'node:net';
import * as z from 'zod';

/** Statuses that Eureka knows. Only UP takes requests. */
export const instanceStatuses = ['UP', 'DOWN', 'STARTING', 'OUT_OF_SERVICE', 'UNKNOWN'] as const;
export type InstanceStatus = (typeof instanceStatuses)[number];

/** One running process of a service, as the registry tells of it. */
export interface ServiceInstance {
  /** Unique within its application, `host:service:port` by custom. */
  readonly id: string;
  /** Application name in upper case, as Eureka keeps it. */
  readonly app: string;
  /** As it stands in a URL: an IPv6 address in brackets. */
  readonly host: string;
  readonly port: number;
  /** Whether `port` speaks TLS. */
  readonly secure: boolean;
  readonly status: InstanceStatus;
  readonly metadata: Readonly<Record<string, string>>;
  /** When the instance last changed what it says of itself, in ms since 1970. */
  readonly lastDirtyTimestampMs: number;
  /** Why no request may be sent to it, where that is so: it can't be read, or its address leads elsewhere. */
  readonly addressFault?: string;
}

/** Whether requests may be sent to an instance. */
export function takesRequests({ status, addressFault }: ServiceInstance): boolean {
  return status === 'UP' && addressFault === undefined;
}

/** Keys of an instance's metadata that this system reads. */
export const metadataKeys = {
  /** Name of the subgraph that the instance serves; empty when it serves none. */
  subgraph: 'subgraph',
  /** Path of its GraphQL endpoint, over HTTP and WebSocket. */
  graphqlPath: 'graphql.path',
  /** Protocol of its subscriptions; unless it is given, the gateway finds out. */
  subscriptionsProtocol: 'graphql.subscriptions.protocol',
  /** Path of its subscriptions, where that is not the path of its GraphQL endpoint. */
  subscriptionsPath: 'graphql.subscriptions.path',
  /** Hash of the SDL that it serves, see `hashOfSdl`. */
  schemaHash: 'schema.hash',
  /** Port of `/actuator/*`. */
  managementPort: 'management.port',
  /** Version of the build. */
  version: 'version',
} as const;

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
 */
export function parseInstance(wire: unknown): ServiceInstance {
  const { success, data, error } = wireInstance.safeParse(wire);
  return success ? readInstance(data) : unreadableInstance(wire, error);
}

function readInstance(read: z.infer<typeof wireInstance>): ServiceInstance {
  const secure = isEnabled(read.securePort) && !isEnabled(read.port);
  const metadata = readMetadata(read.metadata ?? {});
  const addressFault = addressFaultOf(read.hostName, metadata);
  return {
    id: read.instanceId ?? read.hostName,
    app: read.app.toUpperCase(),
    host: isIP(read.hostName) === 6 ? `[${read.hostName}]` : read.hostName,
    port: (secure ? read.securePort?.$ : read.port?.$) ?? 0,
    secure,
    status: read.status,
    metadata,
    lastDirtyTimestampMs: read.lastDirtyTimestamp,
    ...(addressFault === undefined ? {} : { addressFault }),
  };
}

/** What names an instance, whatever else is wrong with it. */
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

/**
 * URLs are built of what an instance says of itself, and get the caller's token. Our registry checks it; another Eureka
 * does not, and a path of `@example.com/` would lead elsewhere.
 */
function addressFaultOf(host: string, metadata: Readonly<Record<string, string>>): string | undefined {
  const url = `http://${host}/`;
  const isName = URL.canParse(url) && new URL(url).hostname === host.toLowerCase();
  if (isIP(host) === 0 && !isName)
    return `hostName expected a host name or an IP address, but got ${quote(host)}`;
  const path = misleadingPath(metadata);
  return path && `metadata.${path.key} expected a path that begins with one /, but got ${quote(path.value)}`;
}

/** The first entry of metadata that is to be a path of the instance, and is none; undefined when all are. */
export function misleadingPath(
  metadata: Readonly<Record<string, string>>,
): { readonly key: string; readonly value: string } | undefined {
  for (const key of [metadataKeys.graphqlPath, metadataKeys.subscriptionsPath]) {
    const value = metadata[key];
    if (value && !/^\/(?!\/)[\w.~%+:/-]*$/.test(value)) return { key, value };
  }
  return undefined;
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 100));
}

function isEnabled(port: z.infer<typeof wirePort>): boolean {
  return port !== undefined && String(port['@enabled'] ?? 'true') === 'true';
}

/** Netflix's server marks an empty map with the name of its Java class. */
function readMetadata(metadata: Record<string, unknown>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(metadata)
      .filter(([key]) => key !== '@class')
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
export function parseApplications(wire: unknown): ServiceInstance[] {
  const { application = [] } = wireApplications.parse(wire).applications;
  return application.flatMap(({ instance }) => instance.map(parseInstance));
}

/** One change of the registry. */
export interface InstanceChange {
  readonly instance: ServiceInstance;
  /** Whether the instance is gone. */
  readonly deleted: boolean;
  /** How it went, if it is gone. */
  readonly departure?: Departure | undefined;
}

/** How an instance left: by saying so, or without a word. */
export type Departure = 'deregistered' | 'lost';

/** What changed in the registry of late. */
export interface RegistryDelta {
  /** Oldest first; a client may have seen some of them. */
  readonly changes: readonly InstanceChange[];
  /** Hash of the whole registry with these changes in it. */
  readonly hashcode: string;
}

/** Reads the answer of `GET /apps/delta`. @throws ZodError */
export function parseDelta(wire: unknown): RegistryDelta {
  const { application = [], apps__hashcode } = wireApplications.parse(wire).applications;
  const changes = application.flatMap(({ instance }) => instance.map(parseChange));
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
export function parseChange(wire: unknown): InstanceChange {
  const instance = parseInstance(wire);
  if ((wire as { actionType?: unknown } | null)?.actionType !== 'DELETED')
    return { instance, deleted: false };
  return { instance, deleted: true, departure: departureOf(wire) };
}

/** An instance that goes before its lease has run out has said so; Eureka does not write it down otherwise. */
function departureOf(wire: unknown): Departure {
  const lease = wireLease.safeParse(wire).data?.leaseInfo;
  if (!lease) return 'lost';
  const unrenewedMs = lease.evictionTimestamp - lease.lastRenewalTimestamp;
  return unrenewedMs < lease.durationInSecs * 1000 ? 'deregistered' : 'lost';
}

/** What a process tells the registry of itself. */
export interface Registration {
  readonly service: string;
  readonly host: string;
  readonly port: number;
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
  const { service, host, port, metadata, lease } = registration;
  const managementPort = metadata[metadataKeys.managementPort] ?? String(port);
  const actuator = `http://${host}:${managementPort}/actuator`;
  return {
    instance: {
      instanceId: instanceIdOf(registration),
      hostName: host,
      app: service.toUpperCase(),
      ipAddr: host,
      status,
      overriddenStatus: 'UNKNOWN',
      port: { $: port, '@enabled': 'true' },
      securePort: { $: 443, '@enabled': 'false' },
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
      homePageUrl: `http://${host}:${port}/`,
      statusPageUrl: `${actuator}/info`,
      healthCheckUrl: `${actuator}/health`,
      vipAddress: service,
      secureVipAddress: service,
      isCoordinatingDiscoveryServer: 'false',
      lastDirtyTimestamp: String(dirtyTimestampMs),
    },
  };
}
