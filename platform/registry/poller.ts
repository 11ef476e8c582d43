import type { EurekaClient } from './eureka-client.ts';
import type { InstanceSet } from './instance-set.ts';

interface PollerOptions {
  readonly client: Pick<EurekaClient, 'fetchAll' | 'fetchDelta'>;
  readonly instances: InstanceSet;
  /** Time that an instance is kept that is missing without having been announced as gone, in ms. */
  readonly keepUnannouncedMs: number;
}

/**
 * Reads a registry that has no change stream: everything once, and then only what changed, as long as the hash of the
 * result is the registry's. An instance that leaves is announced in a delta; one that is only missing from the whole
 * list may be missing because the registry was restarted.
 */
export class Poller {
  readonly #options: PollerOptions;
  #hasRead = false;

  constructor(options: PollerOptions) {
    this.#options = options;
  }

  /** Reads once. @returns whether something may have changed */
  async poll(signal: AbortSignal): Promise<boolean> {
    const { client, instances, keepUnannouncedMs } = this.#options;
    const delta = this.#hasRead ? await client.fetchDelta({ signal }) : undefined;
    if (delta) {
      const news = delta.changes.map(change => instances.apply(change));
      if (instances.hashcode === delta.hashcode) return news.some(Boolean);
    }
    instances.replace(await client.fetchAll({ signal }), Date.now() + keepUnannouncedMs);
    this.#hasRead = true;
    return true;
  }
}
