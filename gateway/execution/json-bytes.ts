import { AnswerTooLargeError } from './limits.ts';

/** Bytes that a writer begins with; it grows with what is written. */
const initialBytes = 65_536;
/** Bytes from which the writer's memory is given back after use. */
const keptBytes = 4_194_304;
/** Bytes that one character takes at most: an escape has six. */
const maxBytesPerCharacter = 6;

/**
 * Writes JSON as bytes. Characters are copied one by one, which takes less time than strings that are put together and
 * encoded afterwards: most are ASCII, and most strings are short.
 */
export class JsonBytes {
  #bytes = Buffer.allocUnsafeSlow(initialBytes);
  #length = 0;
  #maxBytes = 0;

  /** Begins anew. @param maxBytes how much may be written */
  begin(maxBytes: number): void {
    this.#maxBytes = maxBytes;
    this.#length = 0;
    if (this.#bytes.length > keptBytes) this.#bytes = Buffer.allocUnsafeSlow(initialBytes);
  }

  /** Number of bytes that were written. */
  get length(): number {
    return this.#length;
  }

  /** Writes once more what was written before. @param begin its first byte @param end the byte behind it */
  again(begin: number, end: number): void {
    this.#reserve(end - begin);
    this.#bytes.copyWithin(this.#length, begin, end);
    this.#length += end - begin;
  }

  /** Writes text that is JSON already, of ASCII characters only. */
  ascii(text: string): void {
    this.#reserve(text.length);
    const bytes = this.#bytes;
    let at = this.#length;
    for (let index = 0; index < text.length; index += 1) bytes[at++] = text.charCodeAt(index);
    this.#length = at;
  }

  /** Writes text that is JSON already. */
  json(text: string): void {
    this.#reserve(text.length * 3);
    this.#length += this.#bytes.write(text, this.#length);
  }

  /** Writes a string, in quotes and escaped. */
  string(text: string): void {
    this.#reserve(text.length * maxBytesPerCharacter + 2);
    const bytes = this.#bytes;
    let at = this.#length;
    bytes[at++] = 0x22;
    for (let index = 0; index < text.length; index += 1) {
      const code = text.charCodeAt(index);
      if (code < 0x20 || code > 0x7e || code === 0x22 || code === 0x5c) {
        this.json(JSON.stringify(text));
        return;
      }
      bytes[at++] = code;
    }
    bytes[at++] = 0x22;
    this.#length = at;
  }

  /** A copy of what was written. @throws AnswerTooLargeError */
  copy(): Buffer {
    this.#check();
    return Buffer.from(this.#bytes.subarray(0, this.#length));
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#bytes.length) return;
    this.#check();
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#bytes.length * 2));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }

  /** Refuses what is too much already. It is asked for seldom: when memory grows, and at the end. */
  #check(): void {
    if (this.#length > this.#maxBytes) throw new AnswerTooLargeError(this.#maxBytes);
  }
}
