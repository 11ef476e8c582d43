import type { InstanceRegistry } from '../registry/registry.ts';
import type { Peers } from '../replication/peers.ts';
import type { SharedListing } from './answer.ts';
import type { ChangeStream } from './change-stream.ts';

/** State that the Eureka endpoints work on. */
export interface EurekaContext {
  readonly registry: InstanceRegistry;
  /** Name of this run of the registry. */
  readonly name: string;
  readonly peers: Pick<Peers, 'tell'>;
  readonly changes: ChangeStream;
  /** Every instance of every application. */
  readonly all: SharedListing;
  /** Changes of the last minutes. */
  readonly delta: SharedListing;
  /** Tells whether the registry has been up long enough to know every instance. */
  readonly isComplete: () => boolean;
  readonly now: () => number;
  readonly maxRegistrationBytes: number;
}
