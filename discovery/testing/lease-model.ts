import type { InstanceStatus } from '../registry/instance.ts';

/** A lease, as the rules of the protocol have it. */
interface ModelLease {
  shown: InstanceStatus;
  override: InstanceStatus | undefined;
  dirty: number;
  endsAtMs: number;
  readonly durationMs: number;
  own: InstanceStatus;
}

/**
 * The lease rules written a second time, as plainly as they can be: one map, no events, no self-preservation. Random
 * operations have to have the same outcome here and in the registry.
 */
export class LeaseModel {
  readonly leases = new Map<string, ModelLease>();
  nowMs: number;

  constructor(nowMs: number) {
    this.nowMs = nowMs;
  }

  /** Status of each lease, as readers see it. */
  get shown(): Record<string, InstanceStatus> {
    return Object.fromEntries([...this.leases].map(([key, { shown }]) => [key, shown]));
  }

  register(
    key: string,
    { own, dirty, durationMs }: { own: InstanceStatus; dirty: number; durationMs: number },
  ) {
    const known = this.leases.get(key);
    if (known && known.dirty > dirty) {
      known.endsAtMs = this.nowMs + known.durationMs;
      return;
    }
    let shown = own;
    if (own === 'UP' || own === 'OUT_OF_SERVICE')
      if (known?.override) shown = known.override;
      else if (known?.dirty === dirty && (known.shown === 'UP' || known.shown === 'OUT_OF_SERVICE'))
        shown = known.shown;

    this.leases.set(key, {
      own,
      shown,
      override: known?.override,
      dirty,
      durationMs,
      endsAtMs: this.nowMs + durationMs,
    });
  }

  renew(key: string, dirty: number | undefined): 'renewed' | 'unknown' | 'outdated' {
    const known = this.leases.get(key);
    if (!known || known.shown === 'UNKNOWN') return 'unknown';
    known.endsAtMs = this.nowMs + known.durationMs;
    return dirty !== undefined && dirty > known.dirty ? 'outdated' : 'renewed';
  }

  cancel(key: string): boolean {
    return this.leases.delete(key);
  }

  setOverride(key: string, status: InstanceStatus): boolean {
    const known = this.leases.get(key);
    if (known) [known.shown, known.override] = [status, status];
    return known !== undefined;
  }

  removeOverride(key: string, status: InstanceStatus | undefined): boolean {
    const known = this.leases.get(key);
    if (!known?.override) return known !== undefined;
    known.own = status ?? known.own;
    [known.shown, known.override] = [known.own, undefined];
    return true;
  }

  advance(ms: number): void {
    this.nowMs += ms;
    for (const [key, { endsAtMs }] of this.leases) if (endsAtMs <= this.nowMs) this.leases.delete(key);
  }
}
