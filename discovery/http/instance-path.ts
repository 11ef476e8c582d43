/** Parameters of a path below `/apps/{APP}` for the router. */
export interface InstanceRequest {
  Params: { app: string; '*': string };
}

/** Instance that a path below `/apps/{APP}/` names. */
export interface InstancePath {
  readonly id: string;
  readonly part: 'instance' | 'status' | 'metadata';
}

/**
 * Reads the part of a path below `/apps/{APP}/`: `{id}`, `{id}/status` or `{id}/metadata`. An id has no slash, and
 * may be longer than what the router takes as one parameter.
 *
 * @returns undefined when there is nothing at that path
 */
export function parseInstancePath(path: string): InstancePath | undefined {
  const [id, part, ...more] = path.split('/').filter(Boolean);
  if (id === undefined || more.length > 0) return undefined;
  if (part === undefined) return { id, part: 'instance' };
  return part === 'status' || part === 'metadata' ? { id, part } : undefined;
}
