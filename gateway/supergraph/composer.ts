import { Worker } from 'node:worker_threads';
import { type Closable, closeOnce } from '../../platform/lifecycle.ts';
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
  /** @throws Error when the worker dies of the composition */
  compose(subgraphs: readonly Subgraph[], servedSdl: string | undefined): Promise<Composition>;
}

interface Pending {
  readonly resolve: (composition: Composition) => void;
  readonly reject: (error: Error) => void;
}

/** Starts a composer in a thread of its own. A worker that dies is replaced. */
export function createComposer(): Composer {
  const pending = new Map<number, Pending>();
  let worker: Worker | undefined;
  let lastId = 0;
  let closed = false;

  function startWorker(): Worker {
    const started = new Worker(new URL('./composition-worker.js', import.meta.url));
    started.on('message', ({ id, ...composition }: CompositionReply) => {
      pending.get(id)?.resolve(composition);
      pending.delete(id);
    });
    started.on('error', error => failAll(error instanceof Error ? error : new Error(String(error))));
    started.on('exit', () => {
      if (worker === started) worker = undefined;
      failAll(new Error('The thread that composes has ended'));
    });
    started.unref();
    return started;
  }

  function failAll(error: Error): void {
    for (const { reject } of pending.values()) reject(error);
    pending.clear();
  }

  worker = startWorker();
  return {
    compose(subgraphs, servedSdl) {
      if (closed) return Promise.reject(new Error('The composer is closed'));
      worker ??= startWorker();
      lastId += 1;
      const request: CompositionRequest = { id: lastId, subgraphs, servedSdl };
      return new Promise((resolve, reject) => {
        pending.set(request.id, { resolve, reject });
        worker?.postMessage(request);
      });
    },
    close: closeOnce(async () => {
      closed = true;
      await worker?.terminate();
    }),
  };
}
