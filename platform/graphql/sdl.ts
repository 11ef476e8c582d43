import { createHash } from 'node:crypto';

/** Hash of the SDL that a subgraph answers to `_service { sdl }`: the first 16 hex digits of its SHA-256. */
export function hashOfSdl(sdl: string): string {
  return createHash('sha256').update(sdl).digest('hex').slice(0, 16);
}
