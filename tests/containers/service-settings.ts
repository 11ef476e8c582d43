import type * as z from 'zod';
import { serviceNames } from '../../services.ts';

/** Settings of each service's process, by the service's name. */
export const serviceSettings: Readonly<Record<string, z.ZodObject>> = Object.fromEntries(
  await Promise.all(
    serviceNames.map(async name => {
      const { settings } = (await import(`../../subgraphs/${name}/config.ts`)) as { settings: z.ZodObject };
      return [name, settings] as const;
    }),
  ),
);
