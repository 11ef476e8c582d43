import type * as z from 'zod';
import { discoverySettings } from '../../discovery/config.ts';
import { gatewaySettings } from '../../gateway/config.ts';
import { readImage } from '../containers/compose.ts';
import { serviceSettings } from '../containers/service-settings.ts';
import { containerOf, type EnvEntry, type Manifest } from './manifests.ts';

/** Settings of each process, by its name. */
export const settingsByProcess: Readonly<Record<string, z.ZodObject>> = {
  gateway: gatewaySettings,
  discovery: discoverySettings,
  ...serviceSettings,
};

/** The image, from its Dockerfile. */
export const image = await readImage();

/** Value of a key of the Secret, as an operator would give it. */
function secretValue(key: string): string {
  return key.endsWith('DATABASE_URL') ? `postgresql://user@postgres/${key.toLowerCase()}` : 'x'.repeat(64);
}

/** The environment of a process in its container. A key of the Secret that may be missing is missing. */
export function environmentOf(manifests: readonly Manifest[], component: string): Record<string, string> {
  return { ...image.env, ...resolve(containerOf(manifests, component).env) };
}

/** The settings that a container is given, with values for what comes from elsewhere. */
export function resolve(entries: readonly EnvEntry[]): Record<string, string> {
  return Object.fromEntries(
    entries.flatMap(({ name, value, valueFrom }) => {
      if (value !== undefined) return [[name, value]];
      if (valueFrom?.fieldRef?.fieldPath === 'status.podIP') return [[name, '10.0.0.1']];
      const { key, optional } = valueFrom?.secretKeyRef ?? {};
      return key === undefined || optional ? [] : [[name, secretValue(key)]];
    }),
  );
}
