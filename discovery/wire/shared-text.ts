import { promisify } from 'node:util';
import { constants, gzip } from 'node:zlib';

interface SharedTextOptions {
  readonly make: () => string;
  /** Changes whenever the text does. */
  readonly version: () => number;
  readonly now: () => number;
}

const gzipAsync = promisify(gzip);
/** Renewals change the times in a list and not its version: these may be so old, as in Netflix's server. */
const maxAgeMs = 30_000;

/** A text that many ask for: it is made when somebody wants it, once a version, and shared by all, gzipped or not. */
export class SharedText {
  readonly #options: SharedTextOptions;
  #version: number | undefined;
  #madeAtMs = 0;
  #plain: Buffer = Buffer.alloc(0);
  #zipped: Promise<Buffer> | undefined;

  constructor(options: SharedTextOptions) {
    this.#options = options;
  }

  /** The text as it is now, in UTF-8. */
  plain(): Buffer {
    const { make, version, now } = this.#options;
    if (version() !== this.#version || now() - this.#madeAtMs >= maxAgeMs) {
      this.#version = version();
      this.#madeAtMs = now();
      this.#plain = Buffer.from(make());
      this.#zipped = undefined;
    }
    return this.#plain;
  }

  /** The same, gzipped. */
  zipped(): Promise<Buffer> {
    const plain = this.plain();
    this.#zipped ??= gzipAsync(plain, { level: constants.Z_BEST_SPEED });
    return this.#zipped;
  }
}
