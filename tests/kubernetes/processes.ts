import type * as z from 'zod';
import { discoverySettings } from '../../discovery/config.ts';
import { gatewaySettings } from '../../gateway/config.ts';
import { readImage } from '../containers/compose.ts';
import { serviceSettings } from '../containers/service-settings.ts';
import { type Container, containerOf, type EnvEntry, type Manifest } from './manifests.ts';

/** Settings of each process, by its name. */
export const settingsByProcess: Readonly<Record<string, z.ZodObject>> = {
  gateway: gatewaySettings,
  discovery: discoverySettings,
  ...serviceSettings,
};

/** The images, from their Dockerfile. */
export const images = { portico: await readImage('front'), 'portico-shop': await readImage('shop') };

/** The image that a container names. */
export function imageOf({ image }: Pick<Container, 'image'>): (typeof images)[keyof typeof images] {
  const [name = ''] = image.split(':');
  if (name !== 'portico' && name !== 'portico-shop') throw new Error(`There is no image '${name}'`);
  return images[name];
}

const zoneField = "metadata.labels['topology.kubernetes.io/zone']";

/** Values that the cluster puts in. */
interface ClusterValues {
  readonly podIp: string;
  /** Zone that the cluster has copied from the node to the pod. @default none, as in clusters before 1.35 */
  readonly zone?: string;
  /** Value of a key of the Secret; undefined for one that it does not have. */
  readonly secretOf: (key: string) => string | undefined;
}

/** Values as an operator would give them. A key that may be missing is missing. */
export const example: ClusterValues = {
  podIp: '10.0.0.1',
  secretOf: key => {
    if (key.endsWith('_DATABASE_URL')) return `postgresql://user@postgres/${key.toLowerCase()}`;
    return /^(MANAGEMENT|DISCOVERY)_TOKEN$/.test(key) ? undefined : 'x'.repeat(64);
  },
};

/** The environment of a process in its container. */
export function environmentOf(
  manifests: readonly Manifest[],
  component: string,
  values = example,
): Record<string, string> {
  const container = containerOf(manifests, component);
  return { ...imageOf(container).env, ...resolve(container.env, values) };
}

/** The settings that a container is given. @throws Error where it would not be started, for want of a key */
export function resolve(entries: readonly EnvEntry[], values = example): Record<string, string> {
  return Object.fromEntries(
    entries.flatMap(({ name, value, valueFrom }) => {
      if (value !== undefined) return [[name, value]];
      const { fieldPath } = valueFrom?.fieldRef ?? {};
      if (fieldPath === 'status.podIP') return [[name, values.podIp]];
      if (fieldPath === zoneField) return [[name, values.zone ?? '']];
      const { key = '', optional } = valueFrom?.secretKeyRef ?? {};
      const secret = values.secretOf(key);
      if (secret === undefined && !optional) throw new Error(`${name} needs the key '${key}' of the Secret`);
      return secret === undefined ? [] : [[name, secret]];
    }),
  );
}
