import { connect, type Socket } from 'node:net';

/** What came back over one connection. */
export interface RawAnswer {
  /** Statuses of the responses, in order. */
  readonly statuses: readonly number[];
  readonly text: string;
  /** True if the server closed the connection, within the time that it was given. */
  readonly isClosed: boolean;
  /** Time until then, in ms. */
  readonly durationMs: number;
}

interface RawOptions {
  readonly port: number;
  /** Sent as soon as the connection is there, byte by byte as it stands. */
  readonly text: string;
  /** Sent again and again after that, until the connection closes. */
  readonly drip?: { readonly text: string; readonly everyMs: number };
  /** Time that the server has to close the connection, in ms. */
  readonly withinMs: number;
}

/** Speaks to a server what no HTTP client would, and reads until the server closes the connection. */
export async function speak({ port, text, drip, withinMs }: RawOptions): Promise<RawAnswer> {
  const startedAt = performance.now();
  const socket = connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
  let received = '';
  socket.on('data', data => {
    received += data.toString('latin1');
  });
  let going: NodeJS.Timeout | undefined;
  socket.on('connect', () => {
    if (text !== '') socket.write(text, 'latin1');
    if (drip) going = setInterval(() => socket.write(drip.text), drip.everyMs);
  });
  // It keeps its side open, so that the connection is closed only when the server has closed both.
  socket.on('end', () => {
    clearInterval(going);
    going = setInterval(() => socket.write('.'), 50);
  });
  const isClosed = await closes(socket, withinMs);
  clearInterval(going);
  socket.destroy();
  return {
    statuses: [...received.matchAll(/^HTTP\/1\.[01] (\d{3})/gm)].map(([, status]) => Number(status)),
    text: received,
    isClosed,
    durationMs: performance.now() - startedAt,
  };
}

function closes(socket: Socket, withinMs: number): Promise<boolean> {
  return new Promise(resolve => {
    const timer = setTimeout(() => resolve(false), withinMs);
    socket.on('error', () => {});
    socket.once('close', () => {
      clearTimeout(timer);
      resolve(true);
    });
  });
}
