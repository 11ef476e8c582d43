import { connect, createServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

/** A way to a port that can be cut, as a network is. */
export interface CuttableLink {
  readonly port: number;
  /** Lets nothing through any more: what is open breaks, and new connections are never answered. */
  cut(): void;
  mend(): void;
}

/** Opens a way to a port; it ends with the test. */
export async function openCuttableLink(targetPort: number): Promise<CuttableLink> {
  const sockets = new Set<Socket>();
  let whole = true;

  function track(socket: Socket): Socket {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => sockets.delete(socket));
    return socket;
  }

  function dropAll(): void {
    for (const socket of sockets) socket.destroy();
  }

  const server = createServer(socket => {
    track(socket);
    if (!whole) return;
    const target = track(connect(targetPort, '127.0.0.1'));
    socket.pipe(target).pipe(socket);
    socket.once('close', () => target.destroy());
    target.once('close', () => socket.destroy());
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    dropAll();
    server.close();
  });
  return {
    port: (server.address() as { port: number }).port,
    cut() {
      whole = false;
      dropAll();
    },
    mend() {
      whole = true;
      dropAll();
    },
  };
}
