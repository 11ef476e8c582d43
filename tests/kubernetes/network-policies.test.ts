import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { rootDir } from '../../dev/settings.ts';
import { serviceNames } from '../../services.ts';
import { type Labels, readOverlay, selects, workloadOf } from './manifests.ts';
import { settingsByProcess } from './processes.ts';

const manifests = await readOverlay('production');
const processes = Object.keys(settingsByProcess);
const policies = manifests.filter(({ kind }) => kind === 'NetworkPolicy');

/** Somebody who sends a request: a pod of this namespace, or somebody in another one. */
type Sender = { readonly labels: Labels } | { readonly namespace: string };

function labelsOf(component: string): Labels {
  return workloadOf(manifests, component).spec.template.metadata.labels;
}

/** Tells whether the policies let somebody reach a port, as Kubernetes reads them: each that chooses the pod adds to the rest. */
function mayReach(sender: Sender, receiver: string, port: string): boolean {
  const choosing = policies.filter(({ spec }) => selects(spec.podSelector?.matchLabels, labelsOf(receiver)));
  if (choosing.length === 0) return true;
  return choosing
    .flatMap(({ spec }) => spec.ingress ?? [])
    .filter(({ ports }) => ports.some(each => each.port === port))
    .some(({ from }) => {
      if (from === undefined) return true;
      return from.some(({ podSelector, namespaceSelector }) =>
        'labels' in sender
          ? podSelector !== undefined && selects(podSelector.matchLabels, sender.labels)
          : (namespaceSelector?.matchExpressions[0]?.values.includes(sender.namespace) ?? false),
      );
    });
}

/** Processes that may reach a port of another one. */
function senders(receiver: string, port: string): string[] {
  return processes.filter(name => mayReach({ labels: labelsOf(name) }, receiver, port));
}

/** Subgraphs that a subgraph calls, by its code. */
async function callsOf(service: string): Promise<string[]> {
  const source = await readFile(join(rootDir, 'subgraphs', service, 'server.ts'), 'utf8');
  return [...source.matchAll(/clientOf\('(\w+)'/g)].map(([, called = '']) => called);
}

describe('the network policies', () => {
  test('let anybody reach the graph, and nothing else', () => {
    const stranger = { namespace: 'elsewhere' };
    const reached = processes.flatMap(name =>
      ['http', 'management'].filter(port => mayReach(stranger, name, port)).map(port => `${name} ${port}`),
    );
    expect(reached).toEqual(['gateway http']);
  });

  test('let the gateway reach every subgraph, and a subgraph those that its code calls', async () => {
    const callersByService = new Map<string, string[]>(serviceNames.map(name => [name, ['gateway']]));
    for (const service of serviceNames)
      for (const called of await callsOf(service)) callersByService.get(called)?.push(service);
    expect(callersByService.get('inventory')).toEqual(['gateway', 'orders']);
    for (const [service, callers] of callersByService)
      expect(new Set(senders(service, 'http')), service).toEqual(new Set(callers));
  });

  test('let every process reach the registry', () => {
    expect(senders('discovery', 'http')).toEqual(processes);
  });

  test('let the monitoring reach every management port, and the registry that of the gateway', () => {
    for (const name of processes) {
      expect(mayReach({ namespace: 'monitoring' }, name, 'management'), name).toBe(true);
      expect(senders(name, 'management'), name).toEqual(name === 'gateway' ? ['discovery'] : []);
    }
  });
});
