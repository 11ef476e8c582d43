import type { Logger } from './log.ts';

/** A started thing. Closing is idempotent and resolves when nothing of it is left running. */
export interface Closable {
  close(): Promise<void>;
}

/** Started things, closed in reverse order of their start. */
export interface Scope extends Closable {
  /** Adds a started thing and gives it back. */
  use<T extends Closable>(name: string, thing: T): T;
  /** Adds something to do when the scope closes. */
  defer(name: string, close: () => Promise<void> | void): void;
  /** Names of what is not yet closed, last started first. */
  readonly open: string[];
}

/** Makes an empty scope. A thing that fails to close is logged and does not keep the others open. */
export function createScope(log: Logger): Scope {
  const things: { name: string; close: () => Promise<void> | void }[] = [];
  let closing: Promise<void> | undefined;

  async function closeAll(): Promise<void> {
    for (let thing = things.at(-1); thing; thing = things.at(-1)) {
      try {
        await thing.close();
      } catch (error) {
        log.error({ err: error }, `Closing ${thing.name} failed`);
      }
      things.splice(things.indexOf(thing), 1);
    }
  }

  return {
    use(name, thing) {
      things.push({ name, close: () => thing.close() });
      return thing;
    },
    defer(name, close) {
      things.push({ name, close });
    },
    get open() {
      return things.map(thing => thing.name).reverse();
    },
    close() {
      closing ??= closeAll();
      return closing;
    },
  };
}

/** Runs `close` once, however often it is called; each call resolves when that one run has. */
export function closeOnce(close: () => Promise<void>): () => Promise<void> {
  let closing: Promise<void> | undefined;
  return () => {
    closing ??= close();
    return closing;
  };
}
