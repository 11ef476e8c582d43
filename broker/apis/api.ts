import type { Reader, Writer } from '../codec.ts';
import type { GroupCoordinator } from '../groups/coordinator.ts';
import type { BrokerSettings } from '../options.ts';
import type { CommittedOffsets } from '../storage/committed-offsets.ts';
import type { Topics } from '../storage/topics.ts';

/** State that the APIs work on. */
export interface BrokerState {
  readonly settings: BrokerSettings;
  /** Address that clients are told to connect to. */
  readonly advertised: { readonly host: string; readonly port: number };
  readonly topics: Topics;
  readonly offsets: CommittedOffsets;
  readonly groups: GroupCoordinator;
  /** Aborts when the broker closes; whoever waits has to give up then. */
  readonly closing: AbortSignal;
}

/** One request, read up to where its API's own fields begin. */
export interface Request {
  readonly version: number;
  readonly clientId: string;
  /** Address of the client. */
  readonly clientHost: string;
  readonly reader: Reader;
}

/** One API of Kafka's protocol. */
export interface Api {
  readonly key: number;
  readonly name: string;
  /** The oldest and the newest version that are spoken, none of them flexible. */
  readonly versions: readonly [number, number];
  /** Gives what follows the response's header, or nothing where the protocol wants no response. */
  handle(request: Request, broker: BrokerState): Writer | undefined | Promise<Writer | undefined>;
}

/** The id of this broker, the only one of its cluster. */
export const nodeId = 1;

/** This broker lets no client wait because of a quota. */
export const noThrottleMs = 0;
