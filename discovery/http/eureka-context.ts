import type { InstanceRegistry } from '../registry/registry.ts';
import type { Peers } from '../replication/peers.ts';
import type { RegistrantOf } from '../replication/registrants.ts';
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
  /** Address that the instances of a request count for; undefined when a peer passes them on. */
  readonly registrantOf: RegistrantOf;
  /** 0 for any number. */
  readonly maxInstancesPerAddress: number;
  readonly maxRegistrationBytes: number;
}
