import type { ComponentHealth } from '../health.ts';

/** Phase that a consumer is in. */
type Phase = 'starting' | 'rebalancing' | 'consuming';

interface ProgressOptions {
  readonly groupId: string;
  /** Time without progress, in ms, after which a consumer is stuck although its broker answers. */
  readonly stuckAfterMs: number;
  /** Milliseconds on a clock that only goes forward. @default performance.now */
  readonly now?: () => number;
}

/** Follows whether a consumer gets on. */
export interface Progress {
  /** The consumer got on: it joined its group, or got an answer to a fetch or heartbeat. */
  made(phase?: Phase): void;
  /** A handler begins to try a message. @returns what to call when it has ended, well or not */
  trying(): () => void;
  /** The consumer does something else now, which is no progress by itself. */
  entered(phase: Phase): void;
  /** The broker does not answer, so that the consumer is not at fault when it makes no progress. */
  failedToConnect(reason: string): void;
  /** DOWN when the consumer is stuck: restarting the process is what helps. UNKNOWN while it is not in its group. */
  check(): ComponentHealth;
}

/** Begins to follow a consumer. */
export function followProgress({
  groupId,
  stuckAfterMs,
  now = () => performance.now(),
}: ProgressOptions): Progress {
  let phase: Phase = 'starting';
  let madeAt = now();
  let connectFailure: string | undefined;
  const tries = new Set<{ readonly since: number }>();

  return {
    made(next = phase) {
      phase = next;
      madeAt = now();
      connectFailure = undefined;
    },
    trying() {
      const oneTry = { since: now() };
      tries.add(oneTry);
      return () => {
        tries.delete(oneTry);
        madeAt = now();
      };
    },
    entered(next) {
      phase = next;
    },
    failedToConnect(reason) {
      madeAt = now();
      connectFailure = reason;
    },
    check() {
      // One handler that does not end holds up its partition, whatever the others do meanwhile.
      const idleMs = Math.round(now() - Math.min(madeAt, ...[...tries].map(({ since }) => since)));
      const details = { groupId, phase, ...(connectFailure === undefined ? {} : { broker: connectFailure }) };
      if (idleMs > stuckAfterMs)
        return {
          status: 'DOWN',
          details: {
            ...details,
            error: `The consumer has made no progress for ${idleMs} ms, longer than KAFKA_STUCK_AFTER_MS, ${stuckAfterMs}`,
          },
        };
      return { status: phase === 'consuming' && connectFailure === undefined ? 'UP' : 'UNKNOWN', details };
    },
  };
}
