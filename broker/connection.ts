import type { Socket } from 'node:net';
import { InvalidRequestError, Writer } from './codec.ts';

/** Options of a connection. */
export interface ConnectionOptions {
  maxRequestBytes: number;
  /** Answers a request, or with nothing where none is wanted. */
  answer: (frame: Buffer) => Promise<Writer | undefined>;
  log: (line: string) => void;
}

const sizeBytes = 4;

/**
 * Answers the requests of one client, one after another, until either side closes. A request that cannot be answered
 * is reported and closes the connection.
 */
export async function serveConnection(socket: Socket, options: ConnectionOptions): Promise<void> {
  const client = `${socket.remoteAddress}:${socket.remotePort}`;
  socket.setNoDelay();
  try {
    const chunks = socket.iterator({ destroyOnReturn: false });
    for await (const frame of readFrames(chunks, options.maxRequestBytes)) {
      if (socket.destroyed) break;
      const response = await options.answer(frame);
      if (response) await send(socket, response);
    }
  } catch (error) {
    // Where it is destroyed already, the client is gone or the broker closes, and nobody is to blame.
    if (!socket.destroyed) options.log(`closed the connection of ${client}: ${describe(error)}`);
  } finally {
    socket.destroy();
  }
}

/**
 * Cuts a stream into requests: each follows its size, an INT32.
 *
 * @throws InvalidRequestError when a size is impossible or above `maxBytes`
 */
export async function* readFrames(stream: AsyncIterable<Buffer>, maxBytes: number): AsyncGenerator<Buffer> {
  let chunks: Buffer[] = [];
  let bytes = 0;
  let wantedBytes = sizeBytes;
  for await (const chunk of stream) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes < wantedBytes) continue;
    let buffer = Buffer.concat(chunks);
    for (;;) {
      wantedBytes = sizeBytes + (buffer.length < sizeBytes ? 0 : readSize(buffer, maxBytes));
      if (wantedBytes === sizeBytes || buffer.length < wantedBytes) break;
      yield buffer.subarray(sizeBytes, wantedBytes);
      buffer = buffer.subarray(wantedBytes);
    }
    chunks = [buffer];
    bytes = buffer.length;
  }
}

function readSize(buffer: Buffer, maxBytes: number): number {
  const size = buffer.readInt32BE();
  if (size > 0 && size <= maxBytes) return size;
  throw new InvalidRequestError(`a request must have 1 to ${maxBytes} bytes; this one has ${size}`);
}

/** Resolves when the system has taken it, so that a client which does not read holds up only itself. */
function send(socket: Socket, response: Writer): Promise<void> {
  const frame = new Writer().int32(response.bytesWritten).append(response).toBuffer();
  return new Promise((resolve, reject) => socket.write(frame, error => (error ? reject(error) : resolve())));
}

function describe(error: unknown): string {
  if (error instanceof InvalidRequestError) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
