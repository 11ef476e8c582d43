import type { BrokerSettings } from '../options.ts';
import type { CommittedOffsets } from '../storage/committed-offsets.ts';
import { ConsumerGroup } from './consumer-group.ts';

/** The groups of the broker: those with members live in memory, those with committed offsets are known as well. */
export class GroupCoordinator {
  readonly #settings: BrokerSettings;
  readonly #offsets: CommittedOffsets;
  readonly #byId = new Map<string, ConsumerGroup>();

  constructor(settings: BrokerSettings, offsets: CommittedOffsets) {
    this.#settings = settings;
    this.#offsets = offsets;
  }

  /** Ids of all groups that are known. */
  list(): string[] {
    return [...new Set([...this.#byId.keys(), ...this.#offsets.groupIds])];
  }

  /** Finds a group that has members, or is about to. */
  get(groupId: string): ConsumerGroup | undefined {
    return this.#byId.get(groupId);
  }

  /** Finds a group for a client to join; it is forgotten again when it has no members any more. */
  getOrCreate(groupId: string): ConsumerGroup {
    const known = this.#byId.get(groupId);
    if (known) return known;
    const group = new ConsumerGroup({ ...this.#settings, onEmpty: () => this.#byId.delete(groupId) });
    this.#byId.set(groupId, group);
    return group;
  }

  /** Lets every member go; no timer is left. */
  close(): void {
    for (const group of this.#byId.values()) group.close();
    this.#byId.clear();
  }
}
