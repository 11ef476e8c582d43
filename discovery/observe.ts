import { Counter, Gauge, type Registry as MetricRegistry } from 'prom-client';
import type { HealthRegistry } from '../platform/health.ts';
import { explainPreservation } from './explain.ts';
import type { EurekaContext } from './http/eureka-context.ts';
import { instanceStatuses } from './registry/instance.ts';
import type { PreservationReason, PreservationState } from './registry/self-preservation.ts';
import type { Peers } from './replication/peers.ts';

/** Parts of a registry that are observed. */
export interface Observed extends EurekaContext {
  readonly peers: Peers;
  readonly maxHoldMs: number;
}

const reasons = ['many-leases-late', 'peer-unreachable', 'ending'] as const;

/** Adds the registry's own metrics. */
export function addMetrics(metrics: MetricRegistry, observed: Observed): void {
  const { registry, changes, isComplete } = observed;
  const registers = [metrics];
  const changesTotal = new Counter({
    name: 'discovery_changes_total',
    help: 'Changes of the registry, by what caused them. Renewals are none.',
    labelNames: ['cause'],
    registers,
  });
  registry.onChange(({ cause }) => changesTotal.inc({ cause }));
  new Gauge({
    name: 'discovery_instances',
    help: 'Registered instances, by status.',
    labelNames: ['status'],
    registers,
    collect() {
      for (const status of instanceStatuses)
        this.set({ status }, registry.leases.countByStatus.get(status) ?? 0);
    },
  });
  new Counter({
    name: 'discovery_registrations_refused_total',
    help: 'Registrations that were refused because there were too many instances, of their address or of all.',
    labelNames: ['limit'],
    registers,
    collect() {
      this.reset();
      this.inc({ limit: 'instances' }, registry.refusals.full);
      this.inc({ limit: 'instances_per_address' }, registry.refusals['address-full']);
    },
  });
  addPreservationMetrics(metrics, () => registry.selfPreservation);
  gauge(metrics, 'discovery_followers', 'Open change streams.', () => changes.statistics.followers);
  gauge(
    metrics,
    'discovery_complete',
    'Whether the registry has been up long enough to know every instance.',
    () => Number(isComplete()),
  );
  new Counter({
    name: 'discovery_followers_cut_off_total',
    help: 'Followers that were too slow for the changes and were cut off.',
    registers,
    collect() {
      this.reset();
      this.inc(changes.statistics.cutOff);
    },
  });
  addPeerMetrics(metrics, observed.peers);
}

function gauge(metrics: MetricRegistry, name: string, help: string, read: () => number): void {
  new Gauge({
    name,
    help,
    registers: [metrics],
    collect() {
      this.set(read());
    },
  });
}

function addPreservationMetrics(metrics: MetricRegistry, read: () => PreservationState): void {
  new Gauge({
    name: 'discovery_self_preservation',
    help: 'Whether eviction is paused, by reason: many leases late at once, an unreachable peer, or either just over.',
    labelNames: ['reason'],
    registers: [metrics],
    collect() {
      const state = read();
      const active: readonly (PreservationReason | 'ending')[] =
        state.state === 'on' ? state.reasons : state.state === 'ending' ? ['ending'] : [];
      for (const reason of reasons) this.set({ reason }, Number(active.includes(reason)));
    },
  });
  gauge(metrics, 'discovery_held_leases', 'Expired leases that self-preservation keeps.', () =>
    'held' in read() ? (read() as { held: number }).held : 0,
  );
}

function addPeerMetrics(metrics: MetricRegistry, peers: Peers): void {
  const registers = [metrics];
  new Gauge({
    name: 'discovery_peer_reachable',
    help: 'Whether another registry answers this one.',
    labelNames: ['peer'],
    registers,
    collect() {
      for (const { url, state } of peers.list)
        if (state.state !== 'self') this.set({ peer: url }, Number(state.state === 'reachable'));
    },
  });
  new Gauge({
    name: 'discovery_peer_pending_instances',
    help: 'Instances of which another registry has not heard the latest.',
    labelNames: ['peer'],
    registers,
    collect() {
      for (const { url, state, pending } of peers.list)
        if (state.state !== 'self') this.set({ peer: url }, pending);
    },
  });
}

/** Adds what the registry says of itself to `/actuator/health`. None of it takes the process out of service. */
export function addHealth(
  health: HealthRegistry,
  { registry, peers, isComplete, maxHoldMs }: Observed,
): void {
  const shown = { groups: [] };
  health.add(
    'selfPreservation',
    () => ({
      status: registry.selfPreservation.state === 'off' ? 'UP' : 'UNKNOWN',
      details: {
        ...registry.selfPreservation,
        explanation: explainPreservation(registry.selfPreservation, maxHoldMs),
      },
    }),
    shown,
  );
  health.add(
    'registry',
    () => ({ status: 'UP', details: { instances: registry.leases.size, complete: isComplete() } }),
    shown,
  );
  health.add(
    'peers',
    () => ({
      status: peers.list.some(({ state }) => state.state === 'unreachable') ? 'UNKNOWN' : 'UP',
      details: Object.fromEntries(peers.list.map(({ url, state, pending }) => [url, { ...state, pending }])),
    }),
    shown,
  );
}
