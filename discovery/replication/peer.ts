import { messageOf } from '../../platform/errors.ts';
import { type Closable, closeOnce } from '../../platform/lifecycle.ts';
import type { Logger } from '../../platform/log.ts';
import { Waker } from '../../platform/waker.ts';
import type { InstanceRegistry } from '../registry/registry.ts';
import { openLink, PeerAnswerError } from './link.ts';
import { type ReplicationAction, ReplicationQueue } from './replication-queue.ts';
import { readPeerInstance, type TaskAnswer, type WireTask, writeTasks } from './wire.ts';

/** State of another registry, as seen from here. */
export type PeerState =
  | { readonly state: 'unknown' }
  | { readonly state: 'reachable'; readonly sinceMs: number }
  | { readonly state: 'unreachable'; readonly sinceMs: number; readonly reason: string }
  /** The address is this registry's own; every registry can be given the same list. */
  | { readonly state: 'self' };

/** Another registry that is told of everything clients tell this one. */
export interface Peer extends Closable {
  /** Its address, without credentials. */
  readonly url: string;
  readonly state: PeerState;
  /** Name of its run, once it has answered. */
  readonly name: string | undefined;
  /** Instances of which it has not heard the latest. */
  readonly pending: number;
  tell(action: ReplicationAction, app: string, id: string): void;
}

/** Options of a peer. */
export interface PeerOptions {
  readonly registry: InstanceRegistry;
  /** Name of this run of this registry. */
  readonly ownName: string;
  readonly token: string | undefined;
  readonly timeoutMs: number;
  readonly now: () => number;
  readonly log: Logger;
}

/** Most entries of one batch; Netflix's registries send as many. */
const maxBatchEntries = 250;
/** Renewals are gathered this long; everything else is told at once. */
const gatherMs = 200;
/** A peer hears from us this often, so that its absence shows before a lease ends. */
const pingIntervalMs = 1_000;
const retryMs = 500;
/** Statuses of what is wrong, what an address has too much of, and what the registry has too much of. */
const refusals: ReadonlySet<number> = new Set([400, 403, 503]);

/** Starts telling another registry what clients tell this one, by Eureka's peer protocol. */
export function startPeer(url: string, options: PeerOptions): Peer {
  const { registry, now, log } = options;
  const link = openLink(url, options);
  const pending = new ReplicationQueue();
  const waker = new Waker();
  let closing = false;
  let state: PeerState = { state: 'unknown' };
  let name: string | undefined;
  let gathering: NodeJS.Timeout | undefined;

  function tell(action: ReplicationAction, app: string, id: string): void {
    if (state.state === 'self') return;
    pending.add(app, id, action);
    if (state.state === 'unreachable') return;
    if (action === 'Heartbeat') gathering ??= setTimeout(() => waker.wake(), gatherMs);
    else waker.wake();
  }

  function reached(answeredName: string | undefined): void {
    if (answeredName === options.ownName) {
      state = { state: 'self' };
      return;
    }
    const hasChanged = state.state !== 'reachable' || answeredName !== name;
    if (state.state !== 'reachable') {
      log.info({ peer: link.base }, 'The peer is reachable');
      state = { state: 'reachable', sinceMs: now() };
    }
    name = answeredName;
    if (!hasChanged) return;
    // It may have missed anything: what it does not know of these, it will ask for.
    for (const { info, source } of registry.leases.all())
      if (source.by === 'instance') tell('Heartbeat', info.app, info.instanceId);
  }

  function missed(error: unknown): void {
    const reason = messageOf(error);
    if (state.state !== 'unreachable') log.warn({ peer: link.base, reason }, 'The peer is unreachable');
    const sinceMs = state.state === 'unreachable' ? state.sinceMs : now();
    state = { state: 'unreachable', sinceMs, reason };
  }

  function learn(task: WireTask, { statusCode, responseEntity }: TaskAnswer): void {
    if (statusCode === 404 && task.action === 'Heartbeat') tell('Register', task.appName, task.id);
    if (refusals.has(statusCode))
      log.warn({ peer: link.base, id: task.id }, `The peer refused a ${task.action} with ${statusCode}`);
    try {
      const newer = readPeerInstance(responseEntity, now());
      if (newer) registry.register(newer, { source: { by: 'peer', name } });
    } catch (error) {
      log.warn({ peer: link.base, id: task.id }, `The peer's own instance was left out: ${messageOf(error)}`);
    }
  }

  async function exchange(): Promise<void> {
    clearTimeout(gathering);
    gathering = undefined;
    const entries = pending.take(maxBatchEntries);
    const tasks = entries.flatMap(entry => writeTasks(entry, registry.leases.find(entry.app, entry.id)));
    try {
      const answer = await link.send(tasks);
      reached(answer.name);
      for (const [index, task] of tasks.entries())
        learn(task, answer.responses[index] ?? { statusCode: 200 });
    } catch (error) {
      if (error instanceof PeerAnswerError && error.isFinal)
        log.error({ peer: link.base, tasks: tasks.length }, `The peer refused a batch: ${error.message}`);
      else pending.putBack(entries);
      missed(error);
    }
  }

  /** Exchanges until it is closed. Changes that are pending then are sent once more, to a peer that answers. */
  async function run(): Promise<void> {
    while (state.state !== 'self') {
      await exchange();
      if (closing && (pending.size === 0 || state.state === 'unreachable')) return;
      if (state.state === 'unreachable') await waker.sleep(retryMs);
      else if (pending.size === 0 || gathering) await waker.sleep(pingIntervalMs);
    }
  }

  const running = run();
  return {
    url: link.base,
    tell,
    get state() {
      return state;
    },
    get name() {
      return name;
    },
    get pending() {
      return pending.size;
    },
    close: closeOnce(async () => {
      closing = true;
      waker.wake();
      await running;
      clearTimeout(gathering);
    }),
  };
}
