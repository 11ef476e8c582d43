import { type Child, startChild } from './child.ts';

interface ProcessesOptions {
  /** Added to the environment of every process, over its own. */
  readonly env: Readonly<Record<string, string>>;
  /** Gets each line that a process writes. */
  readonly onLine: (name: string, line: string) => void;
  /** Ends the processes that start before {@link Processes.settle}. */
  readonly signal: AbortSignal | undefined;
}

/** Processes that the system consists of, by the names of their instances. */
export class Processes {
  readonly children = new Map<string, Child>();
  readonly #options: ProcessesOptions;
  readonly #starts = new Map<string, () => Promise<Child>>();
  readonly #underway = new Set<Promise<Child>>();
  #signal: AbortSignal | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: ProcessesOptions) {
    this.#options = options;
    this.#signal = options.signal;
  }

  /** Starts a process, and remembers how, so that it can be started again. */
  start(name: string, entry: string, processEnv: Readonly<Record<string, string>>): Promise<Child> {
    const start = () => this.#startOnce(name, entry, processEnv);
    this.#starts.set(name, start);
    return start();
  }

  /** Starts a process again that has ended. @throws Error when no process has the name */
  restart(name: string): Promise<Child> {
    const start = this.#starts.get(name);
    if (!start)
      throw new Error(
        `There is no process '${name}'. The processes are ${[...this.#starts.keys()].join(', ')}.`,
      );
    return start();
  }

  /** Notes that the system has started: from now on, the signal ends no process that starts. */
  settle(): void {
    this.#signal = undefined;
  }

  /** Ends all processes in the reverse order of their dependence. */
  close(): Promise<void> {
    this.#closing ??= Promise.allSettled(this.#underway).then(() => stopAll(this.children));
    return this.#closing;
  }

  async #startOnce(
    name: string,
    entry: string,
    processEnv: Readonly<Record<string, string>>,
  ): Promise<Child> {
    const { env, onLine } = this.#options;
    const starting = startChild({
      name,
      entry,
      env: { ...processEnv, ...env },
      onLine,
      signal: this.#signal,
    });
    this.#underway.add(starting);
    const child = await starting.finally(() => this.#underway.delete(starting));
    this.children.set(name, child);
    void child.ended.then(() => {
      if (this.children.get(name) === child) this.children.delete(name);
    });
    return child;
  }
}

/** Ends first what depends on others. */
async function stopAll(children: ReadonlyMap<string, Child>): Promise<void> {
  const base = ['discovery', 'kafka', 'postgres'];
  const all = [...children.values()];
  const gateway = all.filter(({ name }) => name === 'gateway');
  const services = all.filter(({ name }) => name !== 'gateway' && !base.includes(name));
  for (const group of [gateway, services, all.filter(({ name }) => base.includes(name))])
    await Promise.all(group.map(child => child.stop()));
}
