import type { FastifyReply } from 'fastify';
import type { OnOver } from './operation-time.ts';

/** Calls back, once, when the client leaves before it has its answer, or the time is over. */
export function onGoneOrOver(reply: FastifyReply, onOver: OnOver, callback: () => void): void {
  let isCalled = false;
  const once = () => {
    if (!isCalled) callback();
    isCalled = true;
  };
  onGone(reply, once);
  onOver(once);
}

/** Calls back when the client leaves before it has its answer. */
function onGone({ raw }: FastifyReply, callback: () => void): void {
  if (raw.destroyed) callback();
  raw.once('close', () => {
    if (!raw.writableFinished) callback();
  });
}
