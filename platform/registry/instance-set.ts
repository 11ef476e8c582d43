import { appsHashcode, countStatuses } from './hashcode.ts';
import { type InstanceChange, type RemovalReason, type ServiceInstance, takesRequests } from './instance.ts';

/**
 * The instances that a follower knows. Those that a list no longer names, though nobody said that they are gone, can
 * be kept for a while: a registry that has just been started knows only who has already come back to it.
 */
export class InstanceSet {
  readonly #instancesByKey = new Map<string, ServiceInstance>();
  readonly #keptUntilMsByKey = new Map<string, number>();
  readonly #onRemoval: (instance: ServiceInstance, reason: RemovalReason) => void;
  #upByApp: Map<string, ServiceInstance[]> | undefined;

  /** @param onRemoval is told of each instance that goes, and how */
  constructor(onRemoval: (instance: ServiceInstance, reason: RemovalReason) => void = () => {}) {
    this.#onRemoval = onRemoval;
  }

  /** Every instance, of every status. */
  get all(): readonly ServiceInstance[] {
    return [...this.#instancesByKey.values()];
  }

  /** Eureka's hash of what the registry has named; instances that are merely kept are not in it. */
  get hashcode(): string {
    const named = [...this.#instancesByKey].filter(([key]) => !this.#keptUntilMsByKey.has(key));
    return appsHashcode(countStatuses(named.map(([, instance]) => instance)));
  }

  /** Time at which the first of the kept instances is to go; undefined when there is none. */
  get nextExpiryMs(): number | undefined {
    return this.#keptUntilMsByKey.size === 0 ? undefined : Math.min(...this.#keptUntilMsByKey.values());
  }

  /** Instances of one application that take requests; its name in any case. */
  up(service: string): readonly ServiceInstance[] {
    this.#upByApp ??= groupUp(this.#instancesByKey.values());
    return this.#upByApp.get(service.toUpperCase()) ?? [];
  }

  /**
   * Takes a whole list over.
   *
   * @param keepMissingUntilMs until when instances that the list does not name are kept; undefined drops them
   */
  replace(instances: readonly ServiceInstance[], keepMissingUntilMs?: number): void {
    const named = new Set(instances.map(keyOf));
    for (const key of this.#instancesByKey.keys()) {
      if (named.has(key)) continue;
      if (keepMissingUntilMs === undefined) this.#delete(key, 'lost');
      else if (!this.#keptUntilMsByKey.has(key)) this.#keptUntilMsByKey.set(key, keepMissingUntilMs);
    }
    for (const instance of instances) this.#put(instance);
  }

  /** Takes a change over. @returns whether it was news */
  apply({ instance, deleted, reason = 'lost' }: InstanceChange): boolean {
    const key = keyOf(instance);
    if (deleted) return this.#delete(key, reason);
    const known = this.#instancesByKey.get(key);
    const isNews = JSON.stringify(known) !== JSON.stringify(instance);
    this.#put(instance);
    return isNews;
  }

  /** Drops kept instances whose time has come. @returns whether there was one */
  expire(nowMs: number): boolean {
    const due = [...this.#keptUntilMsByKey].filter(([, untilMs]) => untilMs <= nowMs);
    for (const [key] of due) this.#delete(key, 'lost');
    return due.length > 0;
  }

  #put(instance: ServiceInstance): void {
    const key = keyOf(instance);
    this.#keptUntilMsByKey.delete(key);
    this.#instancesByKey.set(key, instance);
    this.#upByApp = undefined;
  }

  #delete(key: string, reason: RemovalReason): boolean {
    this.#keptUntilMsByKey.delete(key);
    this.#upByApp = undefined;
    const instance = this.#instancesByKey.get(key);
    if (!instance) return false;
    this.#instancesByKey.delete(key);
    this.#onRemoval(instance, reason);
    return true;
  }
}

function keyOf({ app, id }: ServiceInstance): string {
  return `${app}/${id}`;
}

function groupUp(instances: Iterable<ServiceInstance>): Map<string, ServiceInstance[]> {
  const upByApp = new Map<string, ServiceInstance[]>();
  for (const instance of instances) {
    if (!takesRequests(instance)) continue;
    const known = upByApp.get(instance.app);
    if (known) known.push(instance);
    else upByApp.set(instance.app, [instance]);
  }
  return upByApp;
}
