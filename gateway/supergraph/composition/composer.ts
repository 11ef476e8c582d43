import { Worker } from 'node:worker_threads';
import { type Closable, closeOnce } from '../../../platform/lifecycle.ts';
import type { CompositionOutcome, Subgraph } from './compose.ts';
import type { CompositionReply, CompositionRequest } from './composition-worker.ts';
import type { SchemaChange } from './schema-diff.ts';

/** A composition and what it changes for clients. */
export interface Composition {
  readonly outcome: CompositionOutcome;
  /** Against the supergraph that was served; empty when it did not compose, or nothing was served. */
  readonly changes: readonly SchemaChange[];
}

/** Composes beside the event loop: composing a large graph takes seconds. */
export interface Composer extends Closable {
  /** @throws Error when the worker dies of the composition; CompositionTimeoutError when it takes too long */
  compose(subgraphs: readonly Subgraph[], servedSdl: string | undefined): Promise<Composition>;
}

/** A composition took longer than it may. */
export class CompositionTimeoutError extends Error {
  override readonly name = 'CompositionTimeoutError';
}

interface Pending {
  readonly resolve: (composition: Composition) => void;
  readonly reject: (error: Error) => void;
}

/** Longest time that a composition may take, in ms. */
const defaultTimeoutMs = 60_000;

/** A thread, and what it has been asked. */
interface Thread {
  readonly worker: Worker;
  readonly pending: Map<number, Pending>;
}

/** Starts a composer in a thread of its own. A thread that dies is replaced. */
export function createComposer(
  workerUrl = new URL('./composition-worker.js', import.meta.url),
  timeoutMs = defaultTimeoutMs,
): Composer {
  let thread: Thread | undefined;
  let lastId = 0;
  let closed = false;

  function startThread(): Thread {
    const started: Thread = { worker: new Worker(workerUrl), pending: new Map() };
    const { worker, pending } = started;
    const end = (error: Error) => {
      if (thread === started) thread = undefined;
      for (const { reject } of pending.values()) reject(error);
      pending.clear();
    };
    worker.on('message', ({ id, ...composition }: CompositionReply) => {
      pending.get(id)?.resolve(composition);
      pending.delete(id);
    });
    worker.on('error', error => end(error instanceof Error ? error : new Error(String(error))));
    worker.on('exit', () => end(new Error('The thread that composes has ended')));
    worker.unref();
    return started;
  }

  thread = startThread();
  return {
    compose(subgraphs, servedSdl) {
      if (closed) return Promise.reject(new Error('The composer is closed'));
      thread ??= startThread();
      const { worker, pending } = thread;
      lastId += 1;
      const request: CompositionRequest = { id: lastId, subgraphs, servedSdl };
      const composed = new Promise<Composition>((resolve, reject) => {
        pending.set(request.id, { resolve, reject });
        worker.postMessage(request);
      });
      const timer = setTimeout(() => {
        pending
          .get(request.id)
          ?.reject(new CompositionTimeoutError(`Composing takes longer than ${timeoutMs} ms`));
        // Nothing else ends it; the next composition has a thread of its own.
        if (thread?.worker === worker) thread = undefined;
        void worker.terminate();
      }, timeoutMs);
      return composed.finally(() => clearTimeout(timer));
    },
    close: closeOnce(async () => {
      closed = true;
      await thread?.worker.terminate();
    }),
  };
}
