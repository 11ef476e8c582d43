import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Closable } from '../../platform/lifecycle.ts';
import type { Change, InstanceRegistry } from '../registry/registry.ts';
import { instanceJson } from '../wire/json.ts';

interface ChangeStreamOptions {
  readonly registry: InstanceRegistry;
  /** Name of this run of the registry; sequences of different runs are not comparable. */
  readonly epoch: string;
  /** The whole registry as one line of JSON. */
  readonly snapshot: () => Buffer;
  /** Tells whether the registry has been up long enough to know every instance. */
  readonly isComplete: () => boolean;
  readonly maxFollowers: number;
  /** Number of changes that a follower may have missed and still gets one by one. */
  readonly replayEvents: number;
  /** Bytes that may wait for a follower beyond its snapshot, before it is cut off. */
  readonly maxPendingBytes: number;
}

interface Follower {
  readonly reply: FastifyReply;
  /** Bytes sent as a snapshot, which may wait however slow the follower is. */
  snapshotBytes: number;
}

interface StreamStatistics {
  readonly followers: number;
  /** Followers that were too slow. */
  readonly cutOff: number;
}

const pingIntervalMs = 5_000;
const retryHintMs = 1_000;

/**
 * Tells followers of changes as they happen, as server-sent events: a `snapshot`, then each `change`. A follower
 * that comes back with the id of the last event it saw gets those that it missed, and only when they are no longer
 * at hand another snapshot. Before a snapshot comes `registry`, which says whether what follows is complete: while a
 * registry warms up, an instance that is not in it may yet live, and everybody gets another snapshot afterwards.
 */
export class ChangeStream implements Closable {
  readonly #options: ChangeStreamOptions;
  readonly #followers = new Set<Follower>();
  readonly #replay: { sequence: number; frame: Buffer }[] = [];
  readonly #stopListening: () => void;
  readonly #pings: NodeJS.Timeout;
  #cutOff = 0;

  constructor(options: ChangeStreamOptions) {
    this.#options = options;
    this.#stopListening = options.registry.onChange(change => this.#publish(change));
    this.#pings = setInterval(() => this.#send(Buffer.from(': ping\n\n')), pingIntervalMs);
  }

  get statistics(): StreamStatistics {
    return { followers: this.#followers.size, cutOff: this.#cutOff };
  }

  /** Answers one follower, for as long as it stays. */
  follow(request: FastifyRequest, reply: FastifyReply): FastifyReply {
    if (this.#followers.size >= this.#options.maxFollowers) {
      const message = `The change stream has its most followers, ${this.#options.maxFollowers} (DISCOVERY_MAX_FOLLOWERS); poll /eureka/apps/delta, or try again later`;
      return reply.code(503).header('retry-after', '5').type('text/plain').send(message);
    }
    reply.hijack();
    reply.raw.writeHead(200, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    });
    reply.raw.write(`retry: ${retryHintMs}\n\n`);
    const follower: Follower = { reply, snapshotBytes: 0 };
    reply.raw.once('close', () => this.#followers.delete(follower));
    reply.raw.on('error', () => this.#followers.delete(follower));
    this.#followers.add(follower);
    const missed = this.#missedSince(request.headers['last-event-id']);
    if (missed) for (const { frame } of missed) reply.raw.write(frame);
    else this.#sendSnapshot(follower);
    return reply;
  }

  /** Sends everybody the whole registry anew. */
  resend(): void {
    for (const follower of this.#followers) this.#sendSnapshot(follower);
  }

  /** Ends every stream; followers come back, to another registry or to this one when it is up again. */
  async close(): Promise<void> {
    clearInterval(this.#pings);
    this.#stopListening();
    for (const { reply } of this.#followers) reply.raw.end();
    this.#followers.clear();
  }

  #publish({ sequence, lease }: Change): void {
    const data = `{"instance":${instanceJson(lease)}}`;
    const frame = Buffer.from(`event: change\nid: ${this.#options.epoch}-${sequence}\ndata: ${data}\n\n`);
    this.#replay.push({ sequence, frame });
    if (this.#replay.length > this.#options.replayEvents) this.#replay.shift();
    this.#send(frame);
  }

  #send(frame: Buffer): void {
    for (const follower of this.#followers) {
      const { raw } = follower.reply;
      if (raw.writableLength > this.#options.maxPendingBytes + follower.snapshotBytes) {
        this.#cutOff++;
        this.#followers.delete(follower);
        raw.destroy();
      } else raw.write(frame);
    }
  }

  #sendSnapshot(follower: Follower): void {
    const { epoch, registry, snapshot, isComplete } = this.#options;
    const data = snapshot();
    const { raw } = follower.reply;
    follower.snapshotBytes = data.length;
    raw.cork();
    raw.write(`event: registry\ndata: ${JSON.stringify({ complete: isComplete() })}\n\n`);
    raw.write(`event: snapshot\nid: ${epoch}-${registry.sequence}\ndata: `);
    raw.write(data);
    raw.write('\n\n');
    raw.uncork();
  }

  /** Changes after an event; undefined when they cannot be told. */
  #missedSince(lastEventId: string | string[] | undefined) {
    const [, epoch, sequence] = /^(.+)-(\d+)$/.exec(String(lastEventId ?? '')) ?? [];
    const last = Number(sequence);
    if (epoch !== this.#options.epoch || last > this.#options.registry.sequence) return undefined;
    const firstAtHand = this.#replay[0]?.sequence ?? this.#options.registry.sequence + 1;
    if (last + 1 < firstAtHand) return undefined;
    return this.#replay.slice(Math.max(0, last + 1 - firstAtHand));
  }
}
