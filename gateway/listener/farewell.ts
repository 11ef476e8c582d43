import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { FastifyInstance } from 'fastify';
import { endConnectionsWhen } from '../../platform/closing-connections.ts';
import { type Closable, closeOnce } from '../../platform/lifecycle.ts';

/** Longest time that connections get to be told by an answer that they end, in ms. */
const farewellMs = 1_000;
/** Time between two looks whether all have gone, in ms. */
const lookMs = 20;

/**
 * Sends clients away that keep connections of HTTP/1.1 open: closing it lets each answer say that its connection ends, until
 * all have gone or the time is over. A server that closed them between two requests at once would meet some with a request
 * on its way, which a client cannot send again where it changes something.
 */
export function createFarewell(app: FastifyInstance): Closable {
  let isLeaving = false;
  const countConnections = promisify(app.server.getConnections.bind(app.server));
  endConnectionsWhen(app, () => isLeaving);
  return {
    close: closeOnce(async () => {
      isLeaving = true;
      const endMs = performance.now() + farewellMs;
      while (performance.now() < endMs && (await countConnections()) > 0) await delay(lookMs);
    }),
  };
}
