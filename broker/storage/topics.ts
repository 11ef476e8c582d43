import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { readIfThere, replaceFile } from '../../platform/whole-file.ts';
import { ErrorCode } from '../errors.ts';
import type { BrokerSettings } from '../options.ts';
import { PartitionLog } from './partition-log.ts';
import { createSerialQueue } from './serial-queue.ts';

/** Settings given when the topic was created, as `retention.bytes`. Two have an effect, the others are only kept. */
export type TopicConfigs = Readonly<Record<string, string>>;

/** A topic and its partitions' logs, in the partitions' order. */
export interface Topic {
  readonly name: string;
  readonly configs: TopicConfigs;
  readonly partitions: readonly PartitionLog[];
}

/** A topic to create. */
export interface NewTopic {
  name: string;
  /** -1 takes the broker's default. */
  partitionCount: number;
  configs: TopicConfigs;
}

/** Partitions that all topics may have together: each keeps files open. */
const maxPartitions = 5000;

/** The topics of the broker: `topics.json` names them, and each partition's log has a folder of its own. */
export class Topics {
  readonly #settings: BrokerSettings;
  readonly #byName = new Map<string, Topic>();
  readonly #inTurn = createSerialQueue();

  private constructor(settings: BrokerSettings) {
    this.#settings = settings;
  }

  /** Opens every topic that `topics.json` names. Folders of others, left by a deletion cut short, are removed. */
  static async open(settings: BrokerSettings): Promise<Topics> {
    const topics = new Topics(settings);
    await mkdir(topics.#folder(), { recursive: true });
    const stored = await readIfThere(topics.#file);
    const known: NewTopic[] = stored ? JSON.parse(stored) : [];
    for (const topic of known) topics.#byName.set(topic.name, await topics.#open(topic));
    for (const name of await readdir(topics.#folder()))
      if (!topics.#byName.has(name)) await rm(topics.#folder(name), { recursive: true });

    return topics;
  }

  list(): Topic[] {
    return [...this.#byName.values()];
  }

  get(name: string): Topic | undefined {
    return this.#byName.get(name);
  }

  /** Finds a partition's log. */
  partition(name: string, index: number): PartitionLog | undefined {
    return this.#byName.get(name)?.partitions[index];
  }

  /** Tells whether a topic could be created now, and if not why. */
  validate({ name, partitionCount, configs }: NewTopic): ErrorCode {
    const isAllowed = /^[\w.-]{1,249}$/.test(name) && name !== '.' && name !== '..';
    if (!isAllowed) return ErrorCode.INVALID_TOPIC_EXCEPTION;
    if (this.#byName.has(name)) return ErrorCode.TOPIC_ALREADY_EXISTS;
    const open = this.list().reduce((sum, topic) => sum + topic.partitions.length, 0);
    if (partitionCount < -1 || partitionCount === 0 || open + partitionCount > maxPartitions)
      return ErrorCode.INVALID_PARTITIONS;

    const sizes = [configs['retention.bytes'] ?? '-1', configs['max.message.bytes'] ?? '0'];
    return sizes.every(size => /^(-1|\d{1,15})$/.test(size)) ? ErrorCode.NONE : ErrorCode.INVALID_CONFIG;
  }

  /** Creates a topic. It is on disk when this resolves to no error. */
  create(topic: NewTopic): Promise<ErrorCode> {
    return this.#inTurn(async () => {
      const error = this.validate(topic);
      if (error !== ErrorCode.NONE) return error;
      const opened = await this.#open(topic);
      // Only what is in the file may be written to: the folders of other topics do not survive a restart.
      await this.#save([...this.list(), opened]);
      this.#byName.set(opened.name, opened);
      return ErrorCode.NONE;
    });
  }

  /** Deletes a topic and its records. */
  delete(name: string): Promise<ErrorCode> {
    return this.#inTurn(async () => {
      const topic = this.#byName.get(name);
      if (topic === undefined) return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION;
      this.#byName.delete(name);
      await this.#save(this.list());
      for (const partition of topic.partitions) await partition.delete();
      await rm(this.#folder(name), { recursive: true });
      return ErrorCode.NONE;
    });
  }

  /** Brings every partition to the disk. */
  close(): Promise<void> {
    return this.#inTurn(async () => {
      for (const { partitions } of this.#byName.values())
        for (const partition of partitions) await partition.close();
    });
  }

  /** The settings in force for a topic: its own, or else the broker's. */
  effectiveConfigs(configs: TopicConfigs): Record<string, string> {
    const { retentionBytes, maxMessageBytes, segmentBytes } = this.#settings;
    return {
      'cleanup.policy': 'delete',
      'max.message.bytes': String(maxMessageBytes),
      'retention.bytes': String(retentionBytes),
      'segment.bytes': String(segmentBytes),
      ...configs,
    };
  }

  async #open({ name, partitionCount, configs }: NewTopic): Promise<Topic> {
    const { defaultPartitions, segmentBytes, fsyncEachProduce, log } = this.#settings;
    const effective = this.effectiveConfigs(configs);
    const partitions: PartitionLog[] = [];
    for (let index = 0; index < (partitionCount === -1 ? defaultPartitions : partitionCount); index++)
      partitions.push(
        await PartitionLog.open({
          dir: this.#folder(name, String(index)),
          segmentBytes,
          retentionBytes: Number(effective['retention.bytes']),
          maxMessageBytes: Number(effective['max.message.bytes']),
          fsyncEachProduce,
          log,
        }),
      );

    return { name, configs, partitions };
  }

  #save(topics: readonly Topic[]): Promise<void> {
    const stored = topics.map(
      ({ name, configs, partitions }): NewTopic => ({ name, partitionCount: partitions.length, configs }),
    );
    return replaceFile(this.#file, `${JSON.stringify(stored, null, 2)}\n`);
  }

  get #file(): string {
    return join(this.#settings.dataDir, 'topics.json');
  }

  #folder(...path: string[]): string {
    return join(this.#settings.dataDir, 'topics', ...path);
  }
}
