import { PorticoError } from '../../platform/errors.ts';
import { type InstanceInfo, type InstanceStatus, instanceStatuses } from '../registry/instance.ts';
import type { Lease } from '../registry/lease.ts';
import { readInteger, readObject, readText, readWord, refuse } from '../wire/fields.ts';
import { type WireInstance, writeInstance } from '../wire/json.ts';
import { readRegistration } from '../wire/read-instance.ts';
import { type PendingActions, type ReplicationAction, replicationActions } from './replication-queue.ts';

/** Marks what a registry only passes on. */
export const replicationHeader = 'x-netflix-discovery-replication';
/** Carries the name of a run of the registry, in requests to a peer and in every answer of the Eureka API. */
export const registryNameHeader = 'x-discovery-registry';
/** Says in a list's answer whether the registry has been up long enough to know every instance. */
export const completeHeader = 'x-discovery-complete';

/** One entry of a batch, as it is sent. */
export interface WireTask {
  readonly appName: string;
  readonly id: string;
  readonly action: ReplicationAction;
  readonly lastDirtyTimestamp?: number;
  readonly status?: InstanceStatus;
  readonly overriddenStatus?: InstanceStatus;
  readonly instanceInfo?: WireInstance;
}

/** One entry of a batch, as it was read. */
export interface ReplicationTask {
  readonly app: string;
  readonly id: string;
  readonly action: ReplicationAction;
  readonly lastDirtyTimestampMs: number | undefined;
  readonly status: InstanceStatus | undefined;
  readonly override: InstanceStatus | undefined;
  readonly info: InstanceInfo | undefined;
}

/** Answer to one entry of a batch. */
export interface TaskAnswer {
  readonly statusCode: number;
  /** The instance as the answering registry knows it, where that is newer. */
  readonly responseEntity?: unknown;
}

/** Writes entries as they are now: of a lease that has ended meanwhile only its cancellation is told. */
export function writeTasks(
  { app, id, lease: about, override }: PendingActions,
  lease: Lease | undefined,
): WireTask[] {
  const named = { appName: app, id };
  if (about === 'Cancel') return [{ ...named, action: 'Cancel' }];
  if (!lease) return [];
  const facts = {
    ...named,
    lastDirtyTimestamp: lease.info.lastDirtyTimestampMs,
    status: lease.status,
    overriddenStatus: lease.override ?? 'UNKNOWN',
  } as const;
  const tasks: WireTask[] = [];
  if (about === 'Register') tasks.push({ ...facts, action: about, instanceInfo: writeInstance(lease) });
  if (about === 'Heartbeat') tasks.push({ ...facts, action: about });
  if (override) tasks.push({ ...facts, action: override });
  return tasks;
}

/** Reads `{ replicationList: [] }`. @throws PorticoError BAD_USER_INPUT when it is something else */
export function readBatch(body: unknown): readonly unknown[] {
  const list = readObject(body, 'body')?.['replicationList'];
  if (!Array.isArray(list)) refuse('replicationList', 'a list', list);
  return list;
}

/** Reads one entry of a batch. @throws PorticoError BAD_USER_INPUT when it lacks something */
export function readTask(wire: unknown, nowMs: number): ReplicationTask {
  const task = readObject(wire, 'replicationList[]') ?? {};
  const app =
    readText(task['appName'], 'appName', { maxLength: 100 }) ?? refuse('appName', 'a name', undefined);
  const id = readText(task['id'], 'id', { maxLength: 300 }) ?? refuse('id', 'an id', undefined);
  const action =
    readWord(task['action'], 'action', replicationActions) ?? refuse('action', 'an action', undefined);
  const range = { min: 0, max: Number.MAX_SAFE_INTEGER };
  return {
    app,
    id,
    action,
    lastDirtyTimestampMs: readInteger(task['lastDirtyTimestamp'], 'lastDirtyTimestamp', range),
    status: readWord(task['status'], 'status', instanceStatuses),
    override: readWord(task['overriddenStatus'], 'overriddenStatus', instanceStatuses),
    info: readPeerInstance(task['instanceInfo'], nowMs),
  };
}

/** Reads an instance that a peer sends, with or without the `instance` around it; undefined when there is none. */
export function readPeerInstance(wire: unknown, nowMs: number): InstanceInfo | undefined {
  const given = readObject(wire, 'instanceInfo');
  if (!given) return undefined;
  const instance = readObject(given['instance'], 'instance') ?? given;
  const app = readText(instance['app'], 'app', { maxLength: 100 });
  if (!app) throw new PorticoError('BAD_USER_INPUT', 'Missing appName');
  return readRegistration({ instance }, app, nowMs);
}
