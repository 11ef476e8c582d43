import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { rootDir } from '../../dev/settings.ts';

export type Labels = Readonly<Record<string, string>>;

/** Setting of a container. */
export interface EnvEntry {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: {
    readonly secretKeyRef?: { readonly name: string; readonly key: string; readonly optional?: boolean };
    readonly fieldRef?: { readonly fieldPath: string };
  };
}

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string };
}

/** A container of a pod, as far as the tests look at it. */
export interface Container {
  readonly name: string;
  readonly image: string;
  readonly args: readonly string[];
  readonly command?: readonly string[];
  readonly env: readonly EnvEntry[];
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[];
  readonly startupProbe?: Probe;
  readonly livenessProbe?: Probe;
  readonly readinessProbe?: Probe;
  readonly lifecycle?: { readonly preStop: { readonly sleep: { readonly seconds: number } } };
  readonly securityContext: Readonly<Record<string, unknown>>;
  readonly resources: Readonly<Record<'requests' | 'limits', Labels>>;
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
}

/** The specification of a pod. */
export interface PodSpec {
  readonly automountServiceAccountToken: boolean;
  readonly enableServiceLinks: boolean;
  readonly shareProcessNamespace?: boolean;
  readonly terminationGracePeriodSeconds: number;
  readonly securityContext: Readonly<Record<string, unknown>>;
  readonly topologySpreadConstraints?: readonly {
    readonly topologyKey: string;
    readonly labelSelector: Selector;
    readonly matchLabelKeys: readonly string[];
  }[];
  readonly initContainers?: readonly Container[];
  readonly containers: readonly Container[];
  readonly volumes: readonly { readonly name: string; readonly emptyDir?: object }[];
}

interface Selector {
  readonly matchLabels?: Labels;
}

/** Who may reach a pod, in a policy. */
export interface PolicyPeer {
  readonly podSelector?: Selector;
  readonly namespaceSelector?: { readonly matchExpressions: readonly { readonly values: string[] }[] };
}

/** An object of Kubernetes, with the fields of every kind that the tests look at. */
export interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly labels: Labels; readonly annotations?: Labels };
  readonly stringData?: Labels;
  readonly spec: {
    readonly replicas?: number;
    readonly serviceName?: string;
    readonly minReadySeconds?: number;
    readonly clusterIP?: string;
    readonly selector?: Selector & Labels;
    readonly podSelector?: Selector;
    readonly maxUnavailable?: number;
    readonly ports?: readonly { readonly port: number; readonly targetPort: string }[];
    readonly template: {
      readonly metadata: { readonly labels: Labels; readonly annotations?: Labels };
      readonly spec: PodSpec;
    };
    readonly ingress?: readonly {
      readonly from?: readonly PolicyPeer[];
      readonly ports: readonly { readonly port: string }[];
    }[];
    readonly scaleTargetRef?: { readonly kind: string; readonly name: string };
    readonly metrics?: readonly Readonly<Record<string, unknown>>[];
    readonly [field: string]: unknown;
  };
}

/** Folder of the chart and the overlays. */
export const kubernetesDir = join(rootDir, 'deploy', 'kubernetes');

/** Reads objects from YAML. @throws Error when it is none */
export function parseManifests(text: string): Manifest[] {
  return parseAllDocuments(text).flatMap(document => {
    if (document.errors.length > 0) throw new Error(document.errors[0]?.message);
    const manifest = document.toJS() as Manifest | null;
    return manifest === null ? [] : [manifest];
  });
}

/** The objects of an overlay. */
export async function readOverlay(name: string): Promise<Manifest[]> {
  return parseManifests(await readFile(join(kubernetesDir, 'overlays', name, 'portico.yaml'), 'utf8'));
}

/** The one object of a kind and name. @throws Error when there is none, or more than one */
export function find(manifests: readonly Manifest[], kind: string, name: string): Manifest {
  const found = manifests.filter(each => each.kind === kind && each.metadata.name === name);
  if (found.length !== 1 || !found[0])
    throw new Error(`Expected one ${kind} ${name}, but there are ${found.length}`);
  return found[0];
}

/** The Deployment or StatefulSet of a process. @throws Error when there is none */
export function workloadOf(manifests: readonly Manifest[], component: string): Manifest {
  return find(manifests, component === 'discovery' ? 'StatefulSet' : 'Deployment', `portico-${component}`);
}

/** The only container of a process. @throws Error when there is none */
export function containerOf(manifests: readonly Manifest[], component: string): Container {
  const [container, ...more] = workloadOf(manifests, component).spec.template.spec.containers;
  if (!container || more.length > 0) throw new Error(`Expected ${component} to have one container`);
  return container;
}

/** Tells whether a selector chooses what has these labels. */
export function selects(wanted: Labels = {}, labels: Labels): boolean {
  return Object.entries(wanted).every(([key, value]) => labels[key] === value);
}
