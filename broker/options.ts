/** Options of `startBroker`. Sizes are in bytes. */
export interface BrokerOptions {
  /** Folder of the data; made when missing. It belongs to one running broker at a time. */
  dataDir: string;
  /** Port to listen on; 0 takes a free one. */
  port: number;
  /** Address to listen on. @default '127.0.0.1' */
  host?: string;
  /** Host that clients are told to connect to. @default `host` */
  advertisedHost?: string | undefined;
  /** Port that clients are told to connect to. @default the port that is listened on */
  advertisedPort?: number | undefined;
  /** Gets one line about each thing that someone should know. @default nothing is reported */
  log?: (line: string) => void;
  /** True if a topic is created when a client asks for it, as Apache Kafka does. @default true */
  autoCreateTopics?: boolean;
  /** Partitions of a topic whose creator does not say how many. @default 1 */
  defaultPartitions?: number;
  /** Largest record batch of a topic without `max.message.bytes`; Apache Kafka's default. @default 1048588 */
  maxMessageBytes?: number;
  /** Largest request; a larger one closes its connection. @default 104857600 (100 MiB) */
  maxRequestBytes?: number;
  /** Size at which a partition begins its next segment file. @default 16777216 (16 MiB) */
  segmentBytes?: number;
  /**
   * Bytes that a partition of a topic without `retention.bytes` keeps at least, if it was ever written; the oldest segments
   * beyond it are dropped. A partition takes up to this and one segment more. @default 268435456 (256 MiB)
   */
  retentionBytes?: number;
  /**
   * True if each produce waits for the disk. Without, what was acknowledged survives the death of the broker but not
   * that of the machine. @default false
   */
  fsyncEachProduce?: boolean;
  /** Time that a group that was empty waits for more members before its first generation, in ms. @default 50 */
  initialRebalanceDelayMs?: number;
  /** Shortest session timeout that a group member may ask for, in ms; Apache Kafka's default. @default 6000 */
  minSessionTimeoutMs?: number;
}

type Advertised = 'advertisedHost' | 'advertisedPort';

/** The options with every default filled in, except the advertised address, which depends on the port. */
export type BrokerSettings = Required<Omit<BrokerOptions, Advertised>> & Pick<BrokerOptions, Advertised>;

/** Defaults of {@link BrokerOptions}. */
export const defaults = {
  host: '127.0.0.1',
  log: () => {},
  autoCreateTopics: true,
  defaultPartitions: 1,
  maxMessageBytes: 1_048_588,
  maxRequestBytes: 100 * 1024 ** 2,
  segmentBytes: 16 * 1024 ** 2,
  retentionBytes: 256 * 1024 ** 2,
  fsyncEachProduce: false,
  initialRebalanceDelayMs: 50,
  minSessionTimeoutMs: 6000,
} satisfies Partial<BrokerOptions>;

/** Fills in the defaults. */
export function withDefaults(options: BrokerOptions): BrokerSettings {
  return { ...defaults, ...options };
}
