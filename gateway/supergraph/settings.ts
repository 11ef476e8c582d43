import { join } from 'node:path';
import * as z from 'zod';
import { durationMs } from '../../platform/config.ts';

/** Settings of the supergraph: what it is made of, and what of it is kept. */
export const supergraphSettings = z.object({
  GATEWAY_DATA_DIR: z
    .string()
    .default(join('.portico', 'gateway'))
    .describe('Folder of the launch history and the last good SDLs, by which a restart serves at once.'),
  SUBGRAPH_REMOVAL_GRACE_MS: durationMs(10_000, { min: 0 }).describe(
    'How long a subgraph whose last instance deregistered stays in the graph. One that is lost without a word stays.',
  ),
  SDL_POLL_INTERVAL_MS: durationMs(10_000).describe(
    'How often an instance that registers no schema.hash is asked for its SDL.',
  ),
  LAUNCH_POLICY_FILE: z
    .string()
    .optional()
    .describe(
      'File of JSON that says which application may serve which subgraph, which subgraph owns which types, and what waits for approval; read again when it changes. Without it, everything that composes is served.',
    ),
});
