interface Round {
  readonly done: Promise<void>;
  end(): void;
}

/** Rounds in which the graph follows changes of the registry. */
export class Following {
  /** For changes that nobody has begun to follow. */
  #next: Round | undefined;
  /** For those that are being followed. */
  #current: Round | undefined;

  /** Resolves when what the registry has said until now has been followed; undefined when it has. */
  get done(): Promise<void> | undefined {
    return (this.#next ?? this.#current)?.done;
  }

  /** The registry has changed. */
  changed(): void {
    this.#next ??= newRound();
  }

  /** Runs what follows all changes until now, whether or not it succeeds. */
  async follow(run: () => Promise<void>): Promise<void> {
    const round = this.#next;
    this.#next = undefined;
    this.#current = round;
    try {
      await run();
    } finally {
      this.#current = undefined;
      round?.end();
    }
  }
}

function newRound(): Round {
  let end = () => {};
  const done = new Promise<void>(resolve => {
    end = resolve;
  });
  return { done, end: () => end() };
}
