import { parentPort } from 'node:worker_threads';
import { type CompositionOutcome, compose, type Subgraph } from './compose.ts';
import { diffSupergraphs, type SchemaChange } from './schema-diff.ts';

/** What the worker is asked for. */
export interface CompositionRequest {
  readonly id: number;
  readonly subgraphs: readonly Subgraph[];
  /** The supergraph that is served, for the difference; undefined when there is none. */
  readonly servedSdl: string | undefined;
}

/** What it answers. */
export interface CompositionReply {
  readonly id: number;
  readonly outcome: CompositionOutcome;
  readonly changes: readonly SchemaChange[];
}

parentPort?.on('message', async ({ id, subgraphs, servedSdl }: CompositionRequest) => {
  const outcome = compose(subgraphs);
  const changes =
    outcome.kind === 'composed' && servedSdl !== undefined
      ? await diffSupergraphs(servedSdl, outcome.supergraphSdl)
      : [];
  const reply: CompositionReply = { id, outcome, changes };
  parentPort?.postMessage(reply);
});
