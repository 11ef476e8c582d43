import { isIPv6 } from 'node:net';
import { version } from '../../platform/management.ts';
import { metadataKeys } from '../../platform/registry/instance.ts';
import { explainPreservation } from '../explain.ts';
import type { Observed } from '../observe.ts';
import type { Lease } from '../registry/lease.ts';
import type { Change, InstanceRegistry } from '../registry/registry.ts';

const keptChanges = 50;

/** One of the last changes, as the dashboard shows it. */
interface ShownChange {
  readonly sequence: number;
  readonly atMs: number;
  readonly cause: Change['cause'];
  readonly app: string;
  readonly id: string;
  readonly status: string;
}

/** Keeps the last changes for the dashboard. @returns what reads them, newest first */
export function keepLastChanges(registry: InstanceRegistry): () => readonly ShownChange[] {
  const kept: ShownChange[] = [];
  registry.onChange(({ sequence, atMs, cause, lease: { info, status } }) => {
    kept.unshift({ sequence, atMs: Math.round(atMs), cause, app: info.app, id: info.instanceId, status });
    kept.length = Math.min(kept.length, keptChanges);
  });
  return () => kept;
}

/** Everything that the dashboard shows. Times are in ms since 1970, ages in ms. */
export function describeRegistry(observed: Observed, lastChanges: readonly ShownChange[]) {
  const { registry, peers, changes, isComplete, now, name, maxHoldMs } = observed;
  const nowMs = Math.round(now());
  return {
    name,
    version,
    nowMs,
    sequence: registry.sequence,
    complete: isComplete(),
    followers: changes.statistics.followers,
    countByStatus: Object.fromEntries(registry.leases.countByStatus),
    selfPreservation: {
      state: registry.selfPreservation.state,
      explanation: explainPreservation(registry.selfPreservation, maxHoldMs),
    },
    peers: peers.list.map(({ url, state, pending }) => ({ url, pending, ...state })),
    applications: describeApplications(registry, nowMs),
    lastChanges,
  };
}

function describeApplications(registry: InstanceRegistry, nowMs: number) {
  const instancesByApp = new Map<string, ReturnType<typeof describeInstance>[]>();
  for (const lease of registry.leases.all()) {
    const known = instancesByApp.get(lease.info.app);
    if (known) known.push(describeInstance(lease, nowMs));
    else instancesByApp.set(lease.info.app, [describeInstance(lease, nowMs)]);
  }
  return [...instancesByApp]
    .map(([name, instances]) => ({ name, instances }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

function describeInstance({ info, status, override, renewedAtMs, registeredAtMs }: Lease, nowMs: number) {
  const { metadata, hostName, port, securePort } = info;
  const secure = securePort.enabled && !port.enabled;
  const host = isIPv6(hostName) ? `[${hostName}]` : hostName;
  const managementPort = metadata[metadataKeys.managementPort];
  return {
    id: info.instanceId,
    address: `${host}:${secure ? securePort.number : port.number}`,
    status,
    override: override ?? null,
    leaseAgeMs: Math.max(0, Math.round(nowMs - renewedAtMs)),
    leaseDurationMs: info.durationMs,
    registeredAtMs: Math.round(registeredAtMs),
    version: metadata[metadataKeys.version] ?? null,
    zone: metadata[metadataKeys.zone] || null,
    schemaHash: metadata[metadataKeys.schemaHash] ?? null,
    subgraph: metadata[metadataKeys.subgraph] || null,
    healthUrl: managementPort ? `http://${host}:${managementPort}/actuator/health` : null,
  };
}
