import { Gauge, type Registry } from 'prom-client';
import type { HeldBack } from './composition/adoption.ts';
import type { LaunchHistory } from './launches/launch-history.ts';
import type { ServedGraph } from './served-graph.ts';

const phases: readonly ServedGraph['state']['phase'][] = ['waiting', 'serving', 'stale', 'pinned'];

/** Tells of the graph as metrics. */
export function observeSupergraph(metrics: Registry, served: ServedGraph, history: LaunchHistory): void {
  const registers = [metrics];
  new Gauge({
    name: 'gateway_supergraph_phase',
    help: '1 for the phase that the graph is in, 0 for the others.',
    labelNames: ['phase'],
    registers,
    collect() {
      for (const phase of phases) this.set({ phase }, phase === served.state.phase ? 1 : 0);
    },
  });
  new Gauge({
    name: 'gateway_supergraph_faults',
    help: 'What the registry asks for and the graph does not have: SDLs that can not be read, versions that are held back, not allowed or not approved.',
    labelNames: ['kind'],
    registers,
    collect() {
      this.set({ kind: 'unreadable' }, served.faults.unreadable.length);
      const { heldBack, foreign } = served.faults;
      const holds = (because: HeldBack['because']) =>
        heldBack.filter(each => each.because === because).length;
      this.set({ kind: 'held_back' }, holds(undefined));
      this.set({ kind: 'not_allowed' }, holds('policy') + foreign.length);
      this.set({ kind: 'awaiting_approval' }, holds('approval'));
      this.set({ kind: 'load' }, served.faults.load === undefined ? 0 : 1);
    },
  });
  new Gauge({
    name: 'gateway_supergraph_launch',
    help: 'Number of the launch that is served.',
    registers,
    collect() {
      if (served.state.phase !== 'waiting') this.set(served.state.served.launch.id);
    },
  });
  new Gauge({
    name: 'gateway_supergraph_last_launch_duration_seconds',
    help: 'Duration of the last composition, from its first step to its end.',
    registers,
    collect() {
      const last = history.launches.at(-1);
      if (last) this.set(last.durationMs / 1000);
    },
  });
}
