import { request } from 'undici';
import { withDeadline } from '../../platform/deadline.ts';
import { registryAddress } from '../../platform/registry/address.ts';
import { readObject, type WireObject } from '../wire/fields.ts';
import {
  completeHeader,
  registryNameHeader,
  replicationHeader,
  type TaskAnswer,
  type WireTask,
} from './wire.ts';

/** A peer that answered, but not with what the protocol has. */
export class PeerAnswerError extends Error {
  override readonly name = 'PeerAnswerError';
  /** True if the same batch would be refused again. */
  readonly isFinal: boolean;
  constructor(status: number) {
    super(`it answered ${status}`);
    this.isFinal = status === 400 || status === 413;
  }
}

interface LinkOptions {
  readonly ownName: string;
  readonly token: string | undefined;
  readonly timeoutMs: number;
}

interface BatchAnswer {
  /** Name of the peer's run; undefined when it is another kind of registry. */
  readonly name: string | undefined;
  readonly responses: readonly TaskAnswer[];
}

/** Everything that a peer knows. */
export interface PeerCopy {
  readonly name: string | undefined;
  readonly instances: readonly WireObject[];
  /** True if the peer thinks that this is all; undefined when it does not say. */
  readonly complete: boolean | undefined;
  /** The peer's time of day in ms since 1970, to a second; undefined when it does not say. */
  readonly dateMs: number | undefined;
}

/** The calls from one registry to another. */
export interface PeerLink {
  /** The peer's address, without credentials. */
  readonly base: string;
  /** Sends a batch. @throws PeerAnswerError, or what undici throws when the peer cannot be reached */
  send(tasks: readonly WireTask[]): Promise<BatchAnswer>;
  /** Fetches all that the peer knows. @throws like `send` */
  copy(): Promise<PeerCopy>;
}

/** Makes the calls to one peer. */
export function openLink(url: string, { ownName, token, timeoutMs }: LinkOptions): PeerLink {
  const { base, headers } = registryAddress(url, token);
  const sent = {
    ...headers,
    accept: 'application/json',
    [replicationHeader]: 'true',
    [registryNameHeader]: ownName,
  };

  async function call(path: string, body: string | undefined, signal: AbortSignal) {
    const response = await request(`${base}${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      signal,
      headers: body === undefined ? sent : { ...sent, 'content-type': 'application/json' },
      body: body ?? null,
    });
    if (response.statusCode === 200) return { headers: response.headers, json: await response.body.json() };
    await response.body.dump();
    throw new PeerAnswerError(response.statusCode);
  }

  return {
    base,
    send: tasks =>
      withDeadline({ timeoutMs }, async attempt => {
        const body = JSON.stringify({ replicationList: tasks });
        const answer = await call('/peerreplication/batch/', body, attempt);
        const { responseList = [] } = answer.json as { responseList?: TaskAnswer[] };
        return { name: headerOf(answer.headers, registryNameHeader), responses: responseList };
      }),
    copy: () =>
      withDeadline({ timeoutMs }, async attempt => {
        const answer = await call('/apps', undefined, attempt);
        const complete = headerOf(answer.headers, completeHeader);
        const date = Date.parse(headerOf(answer.headers, 'date') ?? '');
        return {
          name: headerOf(answer.headers, registryNameHeader),
          instances: instancesOf(answer.json),
          complete: complete === undefined ? undefined : complete === 'true',
          dateMs: Number.isNaN(date) ? undefined : date,
        };
      }),
  };
}

function headerOf(headers: Record<string, string | string[] | undefined>, name: string): string | undefined {
  const value = headers[name];
  return value === undefined ? undefined : String(value);
}

/** Single elements come without their list from some servers. */
function instancesOf(json: unknown): WireObject[] {
  const applications = readObject(readObject(json, 'body')?.['applications'], 'applications');
  return listOf(applications?.['application']).flatMap(app =>
    listOf(readObject(app, 'application')?.['instance']).flatMap(
      instance => listOf(readObject(instance, 'instance')) as WireObject[],
    ),
  );
}

function listOf(value: unknown): readonly unknown[] {
  if (value === undefined || value === null) return [];
  return Array.isArray(value) ? (value as unknown[]) : [value];
}
