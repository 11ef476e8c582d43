import { parentPort } from 'node:worker_threads';
import { type CompositionOutcome, compose, type Subgraph } from './compose.ts';
import { diffSupergraphs, type SchemaChange } from './schema-diff.ts';

/** Request to the worker. */
export interface CompositionRequest {
  readonly id: number;
  readonly subgraphs: readonly Subgraph[];
  /** The supergraph that is served, for the difference; undefined when there is none. */
  readonly servedSdl: string | undefined;
}

/** Reply of the worker. */
export interface CompositionReply {
  readonly id: number;
  readonly outcome: CompositionOutcome;
  readonly changes: readonly SchemaChange[];
}

async function answer({ id, subgraphs, servedSdl }: CompositionRequest): Promise<CompositionReply> {
  const outcome = compose(subgraphs);
  if (outcome.kind === 'failed' || servedSdl === undefined) return { id, outcome, changes: [] };
  return { id, outcome, changes: await diffSupergraphs(servedSdl, outcome.supergraphSdl) };
}

// What is thrown ends the thread, which its owner replaces.
parentPort?.on('message', (request: CompositionRequest) => {
  void answer(request).then(reply => parentPort?.postMessage(reply));
});
