import { type FileHandle, open } from 'node:fs/promises';
import { readIfThere, replaceFile } from '../../platform/whole-file.ts';
import { writeFully } from './files.ts';
import { createSerialQueue } from './serial-queue.ts';

/** Place up to which a group has read a partition. */
export interface CommittedOffset {
  groupId: string;
  topic: string;
  partition: number;
  /** The next offset to read; -1 in the file takes back what was committed before. */
  offset: number;
  metadata: string | null;
}

/** Size past which the file is rewritten with only what is in force. */
const compactAtBytes = 4 * 1024 ** 2;

/** Committed offsets of every group: in memory, and as a file of one JSON object a line, of which the last counts. */
export class CommittedOffsets {
  readonly #path: string;
  readonly #inTurn = createSerialQueue();
  readonly #byGroup = new Map<string, Map<string, CommittedOffset>>();
  #file: FileHandle | undefined;
  #bytes = 0;
  #compactAtBytes = compactAtBytes;

  private constructor(path: string) {
    this.#path = path;
  }

  /** Reads the file, drops and reports what is not a whole line at its end, and compacts it. */
  static async open(path: string, log: (line: string) => void): Promise<CommittedOffsets> {
    const offsets = new CommittedOffsets(path);
    const [torn = '', ...lines] = (await readIfThere(path)).split('\n').reverse();
    if (torn) log(`cut ${torn.length} characters that are no whole line off ${path}`);
    for (const line of lines.reverse()) offsets.#keep(JSON.parse(line));
    await offsets.#compact();
    return offsets;
  }

  get groupIds(): string[] {
    return [...this.#byGroup.keys()];
  }

  get(groupId: string, topic: string, partition: number): CommittedOffset | undefined {
    return this.#byGroup.get(groupId)?.get(keyOf(topic, partition));
  }

  ofGroup(groupId: string): CommittedOffset[] {
    return [...(this.#byGroup.get(groupId)?.values() ?? [])];
  }

  /** Resolves when the operating system has them. */
  commit(offsets: readonly CommittedOffset[]): Promise<void> {
    return this.#inTurn(async () => {
      const lines = Buffer.from(toLines(offsets));
      if (this.#file) await writeFully(this.#file, lines, this.#bytes);
      this.#bytes += lines.length;
      for (const offset of offsets) this.#keep(offset);
      if (this.#bytes > this.#compactAtBytes) await this.#compact();
    });
  }

  /** Forgets the offsets that `isGone` holds for: of a group or a topic that was deleted. */
  forget(isGone: (offset: CommittedOffset) => boolean): Promise<void> {
    const gone = this.groupIds.flatMap(groupId => this.ofGroup(groupId)).filter(isGone);
    return this.commit(gone.map(offset => ({ ...offset, offset: -1 })));
  }

  /** Brings everything to the disk. */
  close(): Promise<void> {
    return this.#inTurn(async () => {
      await this.#file?.sync();
      await this.#file?.close();
    });
  }

  #keep(committed: CommittedOffset): void {
    const { groupId, topic, partition, offset } = committed;
    const ofGroup = this.#byGroup.get(groupId) ?? new Map<string, CommittedOffset>();
    if (offset >= 0) ofGroup.set(keyOf(topic, partition), committed);
    else ofGroup.delete(keyOf(topic, partition));
    if (ofGroup.size > 0) this.#byGroup.set(groupId, ofGroup);
    else this.#byGroup.delete(groupId);
  }

  async #compact(): Promise<void> {
    await this.#file?.close();
    const text = toLines(this.groupIds.flatMap(groupId => this.ofGroup(groupId)));
    await replaceFile(this.#path, text);
    this.#file = await open(this.#path, 'r+');
    this.#bytes = Buffer.byteLength(text);
    this.#compactAtBytes = Math.max(compactAtBytes, 2 * this.#bytes);
  }
}

function toLines(offsets: readonly CommittedOffset[]): string {
  return offsets.map(offset => `${JSON.stringify(offset)}\n`).join('');
}

function keyOf(topic: string, partition: number): string {
  return `${topic}/${partition}`;
}
