import { readFile } from 'node:fs/promises';
import { parse, print, stripIgnoredCharacters } from 'graphql';
import { LRUCache } from 'lru-cache';
import { Counter, type Registry } from 'prom-client';
import * as z from 'zod';
import type { Logger } from '../../platform/log.ts';
import type { GatewayConfig } from '../config.ts';
import { GatewayError } from '../gateway-error.ts';

/** Request of a client, as far as it names its operation. */
export interface NamedRequest {
  readonly query?: unknown;
  readonly extensions?: unknown;
  /** Id as Relay sends it, or as the specification's draft has it. */
  readonly doc_id?: unknown;
  readonly documentId?: unknown;
}

/** Operations that clients have registered. */
export interface PersistedOperations {
  /**
   * Gives a request the text of its operation, when it has the id alone.
   *
   * @throws GatewayError PERSISTED_QUERY_NOT_IN_LIST for an id that is not registered; QUERY_NOT_IN_SAFELIST for a text that
   *   is not, where only registered operations may run
   */
  resolve<Request extends NamedRequest>(request: Request): Request;
}

/** Manifest of Apollo's tools, https://www.apollographql.com/docs/graphos/platform/security/persisted-queries */
const apolloManifest = z.object({
  format: z.literal('apollo-persisted-query-manifest'),
  version: z.literal(1),
  operations: z.array(z.object({ id: z.string(), body: z.string() })),
});
/** Manifest of Relay's compiler: texts by their ids. */
const relayManifest = z.record(z.string(), z.string());

type Mode = GatewayConfig['PERSISTED_OPERATIONS_MODE'];

interface PersistedOptions {
  /** Undefined for none. */
  readonly file: string | undefined;
  readonly mode: Mode;
  readonly metrics: Registry;
  readonly log: Logger;
}

/** Texts whose standing is remembered. */
const maxRemembered = 2_000;

/**
 * Reads a manifest.
 *
 * @returns undefined without a file
 * @throws Error that names the file, and what is wrong in it
 */
export async function openPersistedOperations(
  options: PersistedOptions,
): Promise<PersistedOperations | undefined> {
  const { file, mode, metrics, log } = options;
  const unknown = new Counter({
    name: 'gateway_operations_not_registered_total',
    help: 'Operations that are not in the manifest, by what came of them: logged, or refused.',
    labelNames: ['outcome'],
    registers: [metrics],
  });
  if (file === undefined) return undefined;
  const bodyById = await readManifest(file);
  const registered = new Set([...bodyById.values()].map(normalized));
  const remembered = new LRUCache<string, boolean>({ max: maxRemembered });

  function isRegistered(text: string): boolean {
    const known = remembered.get(text);
    if (known !== undefined) return known;
    const found = registered.has(normalized(text));
    remembered.set(text, found);
    if (!found) log.warn({ operation: text.slice(0, 1_000) }, 'An operation is not registered');
    return found;
  }

  function check(text: string): void {
    if (mode === 'off' || isRegistered(text)) return;
    unknown.inc({ outcome: mode === 'enforce' ? 'refused' : 'logged' });
    if (mode === 'enforce')
      throw new GatewayError(
        'QUERY_NOT_IN_SAFELIST',
        'This operation is not registered; only the operations of the manifest may run here',
      );
  }

  return {
    resolve(request) {
      const { query } = request;
      if (typeof query === 'string' && query !== '') {
        check(query);
        return mode === 'enforce' ? withoutId(request) : request;
      }
      const id = idOf(request);
      // What is no id may be taken for one: Apollo Server makes text of it, and may find what ran before it was to be registered.
      if (id === undefined) return mode === 'enforce' ? withoutId(request) : request;
      const body = bodyById.get(id);
      if (body !== undefined) return { ...withoutId(request), query: body };
      // Where others may run, a client registers the text by sending it with its hash.
      if (mode !== 'enforce') return request;
      throw new GatewayError(
        'PERSISTED_QUERY_NOT_IN_LIST',
        `No operation is registered with the id '${id.slice(0, 80)}'`,
      );
    },
  };
}

async function readManifest(file: string): Promise<ReadonlyMap<string, string>> {
  let content: unknown;
  try {
    content = JSON.parse(await readFile(file, 'utf8'));
  } catch (cause) {
    throw new Error(`The manifest of operations in ${file} can't be read: ${(cause as Error).message}`, {
      cause,
    });
  }
  const apollo = apolloManifest.safeParse(content);
  if (apollo.success) return new Map(apollo.data.operations.map(({ id, body }) => [id, body]));
  const relay = relayManifest.safeParse(content);
  if (relay.success) return new Map(Object.entries(relay.data));
  throw new Error(
    `The manifest of operations in ${file} is neither of Apollo's format, {"format":"apollo-persisted-query-manifest","version":1,"operations":[{"id","body"}]}, nor of Relay's, {"<id>":"<text>"}: ${z.prettifyError(apollo.error)}`,
  );
}

/** The text without what means nothing, so that a client's formatting does not matter. */
function normalized(text: string): string {
  try {
    return stripIgnoredCharacters(print(parse(text, { noLocation: true })));
  } catch {
    return text;
  }
}

function idOf({ extensions, doc_id, documentId }: NamedRequest): string | undefined {
  const { sha256Hash } =
    (extensions as { persistedQuery?: { sha256Hash?: unknown } } | null | undefined)?.persistedQuery ?? {};
  return [sha256Hash, doc_id, documentId].find(each => typeof each === 'string') as string | undefined;
}

function withoutId<Request extends NamedRequest>(request: Request): Request {
  const { doc_id: _, documentId: __, extensions, ...rest } = request;
  const { persistedQuery: ___, ...others } = (extensions ?? {}) as Record<string, unknown>;
  return { ...rest, ...(Object.keys(others).length > 0 ? { extensions: others } : {}) } as Request;
}
