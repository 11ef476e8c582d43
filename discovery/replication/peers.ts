import { type Closable, closeOnce } from '../../platform/lifecycle.ts';
import type { RenewalSource } from '../registry/lease.ts';
import { type Peer, type PeerOptions, startPeer } from './peer.ts';
import type { ReplicationAction } from './replication-queue.ts';

/** The other registries. */
export interface Peers extends Closable {
  readonly list: readonly Peer[];
  /** Tells every other registry what a client did here. */
  tell(action: ReplicationAction, app: string, id: string): void;
  /** Tells whether the registry that renewed a lease cannot be reached now. */
  isCutOff(source: RenewalSource): boolean;
}

/** Starts telling the registries at these addresses; this one's own may be among them. */
export function startPeers(urls: readonly string[], options: PeerOptions): Peers {
  const list = urls.map(url => startPeer(url, options));
  return {
    list,
    tell(action, app, id) {
      for (const peer of list) peer.tell(action, app, id);
    },
    isCutOff(source) {
      if (source.by === 'instance') return false;
      const { name } = source;
      return list.some(
        peer => peer.state.state === 'unreachable' && (name === undefined || peer.name === name),
      );
    },
    close: closeOnce(async () => {
      await Promise.all(list.map(peer => peer.close()));
    }),
  };
}
