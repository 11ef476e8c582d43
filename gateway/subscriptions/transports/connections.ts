import { setTimeout as delay } from 'node:timers/promises';
import { type Closable, closeOnce } from '../../../platform/lifecycle.ts';
import type { OperationCaller } from '../../security/operation-caller.ts';
import type { LiveMetrics, Transport } from '../metrics.ts';

/** A client's connection that carries live operations. */
export interface LiveConnection {
  /** Address of the client. */
  readonly address: string;
  /** Undefined until it is known. */
  readonly caller?: OperationCaller;
  /** Tells the client to go elsewhere, and ends the connection. */
  leave(): void;
  /** Ends the connection at once. */
  cut(): void;
}

/** All connections of clients, whichever transport they use. Closing sends them away, spread over a window. */
export interface LiveConnections extends Closable {
  /**
   * Takes a connection in. Undefined when there are too many, of its address, of its caller or of all, or the gateway is
   * shutting down; else what takes it out.
   */
  enter(transport: Transport, connection: LiveConnection): (() => void) | undefined;
  /** Counts a connection that is in already as one of a caller. Undefined when the caller has too many. */
  identify(transport: Transport, caller: OperationCaller): (() => void) | undefined;
}

interface ConnectionsOptions {
  readonly maxConnections: number;
  /** 0 for as many as there may be of all. */
  readonly maxConnectionsPerAddress: number;
  /** 0 for as many as there may be of all. */
  readonly maxConnectionsPerCaller: number;
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
  const byAddress = new Places(options.maxConnectionsPerAddress || maxConnections);
  const byCaller = new Places(options.maxConnectionsPerCaller || maxConnections);
  const connections = new Set<LiveConnection>();
  let isClosing = false;
  let allGone: (() => void) | undefined;

  /** Nobody in particular has as many as addresses have. */
  const placeOf = ({ caller }: OperationCaller) => (caller ? byCaller.take(caller.id) : free);

  return {
    enter(transport, connection) {
      if (isClosing) return undefined;
      const { address, caller } = connection;
      const leaveAddress = connections.size < maxConnections ? byAddress.take(address) : undefined;
      const leaveCaller = caller ? placeOf(caller) : free;
      if (!leaveAddress || !leaveCaller) {
        leaveAddress?.();
        leaveCaller?.();
        metrics.refused(transport);
        return undefined;
      }
      connections.add(connection);
      metrics.connected(transport);
      return () => {
        if (!connections.delete(connection)) return;
        leaveAddress();
        leaveCaller();
        metrics.disconnected(transport);
        if (connections.size === 0) allGone?.();
      };
    },
    identify(transport, caller) {
      const leave = placeOf(caller);
      if (!leave) metrics.refused(transport);
      return leave;
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

const free = () => {};

/** Places of which each key may have so many. */
class Places {
  readonly #max: number;
  readonly #taken = new Map<string, number>();

  constructor(max: number) {
    this.#max = max;
  }

  /** @returns what gives the place back, which is called once; undefined when the key has as many as it may */
  take(key: string): (() => void) | undefined {
    const count = this.#taken.get(key) ?? 0;
    if (count >= this.#max) return undefined;
    this.#taken.set(key, count + 1);
    return () => {
      const left = (this.#taken.get(key) ?? 1) - 1;
      if (left > 0) this.#taken.set(key, left);
      else this.#taken.delete(key);
    };
  }
}
