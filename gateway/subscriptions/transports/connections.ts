import { setTimeout as delay } from 'node:timers/promises';
import { type Closable, closeOnce } from '../../../platform/lifecycle.ts';
import type { LiveMetrics, Transport } from '../metrics.ts';

/** A client's connection that carries live operations. */
export interface LiveConnection {
  /** Address of the client. */
  readonly address: string;
  /** Tells the client to go elsewhere, and ends the connection. */
  leave(): void;
  /** Ends the connection at once. */
  cut(): void;
}

/** All connections of clients, whichever transport they use. Closing sends them away, spread over a window. */
export interface LiveConnections extends Closable {
  /**
   * Takes a connection in. Undefined when there are too many, of its address or of all, or the gateway is shutting down; else
   * what takes it out.
   */
  enter(transport: Transport, connection: LiveConnection): (() => void) | undefined;
}

interface ConnectionsOptions {
  readonly maxConnections: number;
  /** 0 for as many as there may be of all. */
  readonly maxConnectionsPerAddress: number;
  /** Window over which clients are sent away, in ms. */
  readonly drainMs: number;
  readonly metrics: LiveMetrics;
}

/** Time that each connection adds to the window until it is as long as configured, in ms. */
const drainEachMs = 5;
/** Longest time that the last connections may take to end before they are cut, in ms. */
const lastWordMs = 1_000;

/** Makes the register of live connections. */
export function createConnections(options: ConnectionsOptions): LiveConnections {
  const { maxConnections, drainMs, metrics } = options;
  const maxPerAddress = options.maxConnectionsPerAddress || maxConnections;
  const countsByAddress = new Map<string, number>();
  const connections = new Set<LiveConnection>();
  let isClosing = false;
  let allGone: (() => void) | undefined;

  return {
    enter(transport, connection) {
      if (isClosing) return undefined;
      const { address } = connection;
      const count = countsByAddress.get(address) ?? 0;
      if (connections.size >= maxConnections || count >= maxPerAddress) {
        metrics.refused(transport);
        return undefined;
      }
      connections.add(connection);
      countsByAddress.set(address, count + 1);
      metrics.connected(transport);
      return () => {
        if (!connections.delete(connection)) return;
        const left = (countsByAddress.get(address) ?? 1) - 1;
        if (left > 0) countsByAddress.set(address, left);
        else countsByAddress.delete(address);
        metrics.disconnected(transport);
        if (connections.size === 0) allGone?.();
      };
    },
    close: closeOnce(async () => {
      isClosing = true;
      if (connections.size === 0) return;
      const windowMs = Math.min(drainMs, connections.size * drainEachMs);
      const gone = new Promise<void>(resolve => {
        allGone = resolve;
      });
      for (const connection of connections) setTimeout(() => connection.leave(), Math.random() * windowMs);
      await Promise.race([gone, delay(windowMs + lastWordMs, undefined, { ref: false })]);
      for (const connection of connections) connection.cut();
    }),
  };
}
