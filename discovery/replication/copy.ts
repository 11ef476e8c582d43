import { messageOf } from '../../platform/errors.ts';
import type { Logger } from '../../platform/log.ts';
import type { InstanceInfo } from '../registry/instance.ts';
import type { RenewalSource } from '../registry/lease.ts';
import type { InstanceRegistry } from '../registry/registry.ts';
import type { WireObject } from '../wire/fields.ts';
import type { PeerCopy, PeerLink } from './link.ts';
import { readPeerInstance } from './wire.ts';

interface CopyOptions {
  readonly registry: InstanceRegistry;
  readonly links: readonly PeerLink[];
  readonly now: () => number;
  readonly log: Logger;
}

/**
 * Takes over what the other registries know, before this one serves anybody. What several know is taken in its
 * newest form; who does not answer is left out.
 *
 * @returns whether a peer answered that knows every instance
 */
export async function copyFromPeers({ registry, links, now, log }: CopyOptions): Promise<boolean> {
  const outcomes = await Promise.all(
    links.map(async link => {
      try {
        const copy = await link.copy();
        const taken = takeOver(registry, copy, { now, log });
        log.info({ peer: link.base, instances: taken }, 'Copied a peer');
        return copy.complete ?? taken > 0;
      } catch (error) {
        log.info({ peer: link.base }, `No peer to copy from: ${messageOf(error)}`);
        return false;
      }
    }),
  );
  return outcomes.some(Boolean);
}

function takeOver(
  registry: InstanceRegistry,
  { instances, name, dateMs }: PeerCopy,
  { now, log }: Pick<CopyOptions, 'now' | 'log'>,
): number {
  const source: RenewalSource = { by: 'peer', name };
  let taken = 0;
  for (const wire of instances)
    try {
      const info = readPeerInstance(wire, now());
      if (!info) continue;
      const renewedAtMs = now() - ageMs(wire, info, dateMs);
      if (registry.register(info, { source, renewedAtMs }) === 'registered') taken++;
    } catch (error) {
      log.warn(`A peer's instance was left out: ${messageOf(error)}`);
    }

  return taken;
}

/** Renewals that a copied lease has time for at the least, as the times in a list may be older than the list. */
const leastRenewals = 2;

/** Time since an instance was heard of, by the peer's own clock, in ms. */
function ageMs(wire: WireObject, info: InstanceInfo, dateMs: number | undefined): number {
  const lease = wire['leaseInfo'] as { lastRenewalTimestamp?: unknown } | undefined;
  const renewed = Number(lease?.lastRenewalTimestamp);
  if (dateMs === undefined || !(renewed > 0)) return 0;
  const oldest = info.durationMs - leastRenewals * info.renewalIntervalMs;
  return Math.max(0, Math.min(dateMs - renewed, oldest));
}
