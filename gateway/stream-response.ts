import type { ServerResponse } from 'node:http';
import type { FastifyReply } from 'fastify';

/** Headers of an answer that comes piece by piece. A proxy that collects what it passes on would keep pieces back. */
export const streamHeaders = { 'cache-control': 'no-store', 'x-accel-buffering': 'no' } as const;

/** Takes a reply over, to write its body piece by piece. */
export function beginStream(reply: FastifyReply, headers: Readonly<Record<string, unknown>>): ServerResponse {
  reply.hijack();
  const all = { ...reply.getHeaders(), ...headers, ...streamHeaders };
  return reply.raw.writeHead(200, all as Record<string, string>);
}

/** Writes the rest of a body, as fast as the client reads, and no further when it has gone. */
export async function writePieces(
  raw: ServerResponse,
  pieces: AsyncIterable<string>,
  closing: string,
): Promise<void> {
  for await (const piece of pieces) {
    if (raw.destroyed) return;
    if (!raw.write(piece)) await drained(raw);
  }
  raw.end(closing);
}

/** Waits until the client has read what was written, or has gone. */
function drained(raw: ServerResponse): Promise<void> {
  return new Promise(resolve => {
    const end = () => {
      raw.off('drain', end);
      raw.off('close', end);
      resolve();
    };
    raw.once('drain', end);
    raw.once('close', end);
  });
}
