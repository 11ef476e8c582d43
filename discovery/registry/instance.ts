import type { InstanceStatus } from '../../platform/registry/instance.ts';

export { type InstanceStatus, instanceStatuses } from '../../platform/registry/instance.ts';

/** Change of an instance, in the words of the Eureka protocol. */
export type ActionType = 'ADDED' | 'MODIFIED' | 'DELETED';

/** One of an instance's two ports. */
export interface InstancePort {
  readonly number: number;
  readonly enabled: boolean;
}

/** Data centres that Eureka's clients know. */
export const dataCenterNames = ['Netflix', 'Amazon', 'MyOwn'] as const;

/** Data centre that an instance runs in. */
export interface DataCenter {
  readonly name: (typeof dataCenterNames)[number];
  /** Java class that Netflix's clients read it into. */
  readonly className: string;
  /** Facts of the cloud about the machine; only with Amazon. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** Fields that are carried from the instance to its readers, and mean nothing to the registry. */
export const carriedFields = [
  'appGroupName',
  'homePageUrl',
  'statusPageUrl',
  'healthCheckUrl',
  'secureHealthCheckUrl',
  'vipAddress',
  'secureVipAddress',
  'asgName',
] as const;

/** Name of a field that is only carried. */
export type CarriedField = (typeof carriedFields)[number];

/** Facts that an instance registers. Everything here has been validated. */
export interface InstanceInfo extends Readonly<Partial<Record<CarriedField, string>>> {
  /** Application, in upper case. */
  readonly app: string;
  /** Unique within its application. */
  readonly instanceId: string;
  readonly hostName: string;
  readonly ipAddr: string;
  /** The status that the instance gives itself. */
  readonly status: InstanceStatus;
  /** An override that the instance, or a peer in its name, sends along; UNKNOWN is none. */
  readonly overriddenStatus: InstanceStatus;
  readonly port: InstancePort;
  readonly securePort: InstancePort;
  readonly countryId: number;
  readonly dataCenter: DataCenter;
  readonly renewalIntervalMs: number;
  /** Time without a renewal after which the instance is evicted. */
  readonly durationMs: number;
  readonly metadata: Readonly<Record<string, string>>;
  /** Time at which the instance last changed its registration, by its own clock, in ms since 1970. */
  readonly lastDirtyTimestampMs: number;
}
