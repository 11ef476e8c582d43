import { Failures } from './failures.ts';
import { type BlockRunner, type DeferredBlock, type Run, runPlan } from './run.ts';
import { RunEntities } from './run-entities.ts';

/** Outcome of the fetches of one deferred block. */
export interface BlockOutcome {
  readonly failures: Failures;
  readonly extensions: Run['extensions'];
}

/** A promise, and the function that resolves it. */
interface Signal {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
}

/** The deferred blocks of one run of an operation: each begins as soon as the fetches that it depends on are done. */
export class Deferral implements BlockRunner {
  readonly #outcomes = new Map<string, Promise<BlockOutcome>>();
  readonly #signals = new Map<string, Signal>();

  fetched(id: string): void {
    this.#signalOf(id).resolve();
  }

  begin(blocks: readonly DeferredBlock[], run: Run, enclosing: Promise<void>): void {
    for (const block of blocks) {
      const outcome = this.#run(block, run, enclosing);
      if (block.label !== undefined) this.#outcomes.set(block.label, outcome);
    }
  }

  /** The outcome of the block with a label; undefined when the plan has none, because all of it has come already. */
  outcomeOf(label: string): Promise<BlockOutcome> | undefined {
    return this.#outcomes.get(label);
  }

  async #run({ depends, step }: DeferredBlock, run: Run, enclosing: Promise<void>): Promise<BlockOutcome> {
    const dependencies = Promise.all(depends.map(id => this.#signalOf(id).promise));
    await (depends.length > 0 ? Promise.race([dependencies, enclosing]) : enclosing);
    const failures = new Failures(run.failures);
    const extensions: Run['extensions'] = new Map();
    if (step)
      await runPlan(step, {
        ...run,
        failures,
        extensions,
        postponed: [],
        entities: new RunEntities(),
      });
    return { failures, extensions };
  }

  #signalOf(id: string): Signal {
    const known = this.#signals.get(id);
    if (known) return known;
    let resolve = () => {};
    const promise = new Promise<void>(done => {
      resolve = done;
    });
    const signal = { promise, resolve: () => resolve() };
    this.#signals.set(id, signal);
    return signal;
  }
}
