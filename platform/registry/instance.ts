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
  /** True if `port` speaks TLS. */
  readonly secure: boolean;
  readonly status: InstanceStatus;
  readonly metadata: Readonly<Record<string, string>>;
  /** Time at which the instance last changed its registration, in ms since 1970. */
  readonly lastDirtyTimestampMs: number;
  /** Reason for which no request may be sent to it, if there is one: it can't be read, or its address leads elsewhere. */
  readonly addressFault?: string;
}

/** Tells whether requests may be sent to an instance. */
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
  /** Zone that the process runs in, as Eureka's clients name it. */
  zone: 'zone',
} as const;

/** Tells whether an instance is in a zone. Nothing is in a zone that has no name. */
export function isInZone({ metadata }: ServiceInstance, zone: string | undefined): boolean {
  return zone !== undefined && metadata[metadataKeys.zone] === zone;
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

/** One change of the registry. */
export interface InstanceChange {
  readonly instance: ServiceInstance;
  /** True if the instance is gone. */
  readonly deleted: boolean;
  /** Reason for which it is gone. */
  readonly reason?: RemovalReason | undefined;
}

/** Reason for which an instance is gone: it deregistered, or its lease ended. */
export type RemovalReason = 'deregistered' | 'lost';

/** Changes of the registry in the last minutes. */
export interface RegistryDelta {
  /** Oldest first; a client may have seen some of them. */
  readonly changes: readonly InstanceChange[];
  /** Hash of the whole registry with these changes in it. */
  readonly hashcode: string;
}
