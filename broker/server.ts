import { once, setMaxListeners } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { closeOnce } from '../platform/lifecycle.ts';
import { answer } from './apis/answer.ts';
import type { BrokerState } from './apis/api.ts';
import { serveConnection } from './connection.ts';
import { GroupCoordinator } from './groups/coordinator.ts';
import { type BrokerOptions, type BrokerSettings, withDefaults } from './options.ts';
import { CommittedOffsets } from './storage/committed-offsets.ts';
import { claimDataDir } from './storage/data-dir.ts';
import { Topics } from './storage/topics.ts';

export type { BrokerOptions } from './options.ts';
export { DataDirInUseError } from './storage/data-dir.ts';

/** A running broker. */
export interface Broker {
  readonly host: string;
  readonly port: number;
  /** Ends every connection, brings everything to the disk and leaves nothing running. Idempotent. */
  close(): Promise<void>;
}

interface OpenState {
  state: BrokerState;
  /** Brings everything to the disk. */
  closeState(): Promise<void>;
}

/** Another process listens on the port that the broker was to have. */
export class PortTakenError extends Error {
  override readonly name = 'PortTakenError';

  constructor(host: string, port: number) {
    super(`Port ${port} of ${host} is taken by another process; the embedded broker needs it`);
  }
}

/**
 * Starts a single-node broker that speaks Kafka's protocol, for development and tests only: there is no replication,
 * no transactions, no access control. `broker/README.md` tells what it keeps and what it speaks.
 *
 * @throws PortTakenError when another process has the port
 * @throws DataDirInUseError when another broker runs on the data directory; in both cases that is left untouched
 */
export async function startBroker(options: BrokerOptions): Promise<Broker> {
  const settings = withDefaults(options);
  const closing = new AbortController();
  // One for each consumer that waits for records.
  setMaxListeners(0, closing.signal);
  const server = createServer();
  // The port comes first: who has it may be a broker on the same data, which must not be recovered under its hands.
  const opening = listen(server, settings).then(port => openState(settings, port, closing.signal));
  const endConnections = acceptConnections(server, opening);
  const { state, closeState } = await opening.catch(async (error: Error) => {
    await endConnections();
    throw error;
  });
  const { address, port } = server.address() as AddressInfo;
  return {
    host: address,
    port,
    close: closeOnce(async () => {
      closing.abort();
      const ended = endConnections();
      state.groups.close();
      await ended;
      await closeState();
    }),
  };
}

async function listen(server: Server, { host, port }: BrokerSettings): Promise<number> {
  server.listen(port, host);
  await once(server, 'listening').catch((error: NodeJS.ErrnoException) => {
    throw error.code === 'EADDRINUSE' ? new PortTakenError(host, port) : error;
  });
  return (server.address() as AddressInfo).port;
}

/** Opens what the data directory holds. */
async function openState(settings: BrokerSettings, port: number, closing: AbortSignal): Promise<OpenState> {
  const { dataDir, host, advertisedHost, advertisedPort, log } = settings;
  const giveBack = await claimDataDir(dataDir, { host, port });
  const offsets = await CommittedOffsets.open(join(dataDir, 'committed-offsets.jsonl'), log);
  const topics = await Topics.open(settings);
  const groups = new GroupCoordinator(settings, offsets);
  const advertised = { host: advertisedHost ?? host, port: advertisedPort ?? port };
  return {
    state: { settings, advertised, topics, offsets, groups, closing },
    async closeState() {
      await topics.close();
      await offsets.close();
      await giveBack();
    },
  };
}

/** Serves each connection once the broker's state is open. @returns what ends them all, and the server */
function acceptConnections(server: Server, opening: Promise<OpenState>): () => Promise<void> {
  const connections = new Map<Socket, Promise<void>>();
  const serve = async (socket: Socket): Promise<void> => {
    const { state } = await opening;
    const { maxRequestBytes, log } = state.settings;
    const clientHost = socket.remoteAddress ?? '';
    await serveConnection(socket, {
      maxRequestBytes,
      log,
      answer: frame => answer(frame, clientHost, state),
    });
  };
  server.on('connection', socket => {
    // A failing connection ends the reading of its requests, and needs no second report.
    socket.on('error', () => {});
    const served = serve(socket).catch(() => {});
    connections.set(socket, served);
    void served.then(() => connections.delete(socket));
  });
  return async () => {
    const closed = server.listening ? once(server, 'close') : undefined;
    server.close();
    for (const socket of connections.keys()) socket.destroy();
    await Promise.all(connections.values());
    await closed;
  };
}
