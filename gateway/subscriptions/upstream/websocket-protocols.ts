import {
  GRAPHQL_TRANSPORT_WS_PROTOCOL,
  MessageType,
  parseMessage,
  type SubscribePayload,
  stringifyMessage,
} from 'graphql-ws';
import * as z from 'zod';
import type { SubgraphEvent } from '../subscription-plan.ts';

/** Message of an instance on a connection, whatever the protocol. */
export type InstanceMessage =
  | { readonly kind: 'acknowledged' }
  /** It does not take the connection. */
  | { readonly kind: 'rejected'; readonly reason: string }
  | { readonly kind: 'ping'; readonly answer: string }
  | { readonly kind: 'pong' }
  | { readonly kind: 'event'; readonly id: string; readonly event: SubgraphEvent }
  | { readonly kind: 'refused'; readonly id: string; readonly errors: readonly SubgraphErrorLike[] }
  | { readonly kind: 'completed'; readonly id: string }
  /** A message that asks for nothing. */
  | { readonly kind: 'idle' };

/** An error as a subgraph writes it. */
export interface SubgraphErrorLike {
  readonly message?: string | undefined;
  readonly extensions?: Readonly<Record<string, unknown>> | undefined;
}

/** Writer and reader of one protocol's messages. */
export interface WebSocketProtocol {
  readonly name: string;
  readonly init: string;
  start(id: string, payload: SubscribePayload): string;
  stop(id: string): string;
  /** Asks for a sign of life; undefined where only the WebSocket's own ping does. */
  readonly ping: string | undefined;
  /** @throws Error for what is no message of the protocol */
  read(text: string): InstanceMessage;
}

/** @see https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md */
const graphqlTransportWs: WebSocketProtocol = {
  name: GRAPHQL_TRANSPORT_WS_PROTOCOL,
  init: stringifyMessage({ type: MessageType.ConnectionInit }),
  start: (id, payload) => stringifyMessage({ type: MessageType.Subscribe, id, payload }),
  stop: id => stringifyMessage({ type: MessageType.Complete, id }),
  ping: stringifyMessage({ type: MessageType.Ping }),
  read(text) {
    const message = parseMessage(text);
    switch (message.type) {
      case MessageType.ConnectionAck:
        return { kind: 'acknowledged' };
      case MessageType.Ping: {
        const { payload } = message;
        return {
          kind: 'ping',
          answer: stringifyMessage({ type: MessageType.Pong, ...(payload ? { payload } : {}) }),
        };
      }
      case MessageType.Pong:
        return { kind: 'pong' };
      case MessageType.Next:
        return { kind: 'event', id: message.id, event: message.payload as SubgraphEvent };
      case MessageType.Error:
        return { kind: 'refused', id: message.id, errors: message.payload };
      case MessageType.Complete:
        return { kind: 'completed', id: message.id };
      default:
        throw new Error(`A subgraph sent the message '${message.type}', which only clients send`);
    }
  },
};

const id = z.coerce.string();
const olderError = z.looseObject({
  message: z.string().optional(),
  extensions: z.record(z.string(), z.unknown()).optional(),
});
const olderMessage = z.discriminatedUnion('type', [
  z.object({ type: z.literal('connection_ack') }),
  z.object({ type: z.literal('connection_error'), payload: z.unknown() }),
  z.object({ type: z.enum(['ka', 'connection_keep_alive']) }),
  z.object({
    type: z.literal('data'),
    id,
    payload: z.looseObject({ errors: z.array(z.looseObject({})).nullish() }),
  }),
  // Some servers write one error, others a list.
  z.object({ type: z.literal('error'), id, payload: z.union([z.array(olderError), olderError]).nullish() }),
  z.object({ type: z.literal('complete'), id }),
]);

/**
 * The protocol that came before, whose subprotocol is named like the library that came after.
 * @see https://github.com/apollographql/subscriptions-transport-ws/blob/master/PROTOCOL.md
 */
const olderGraphqlWs: WebSocketProtocol = {
  name: 'graphql-ws',
  init: JSON.stringify({ type: 'connection_init', payload: {} }),
  start: (id, payload) => JSON.stringify({ type: 'start', id, payload }),
  stop: id => JSON.stringify({ type: 'stop', id }),
  ping: undefined,
  read(text) {
    const message = olderMessage.parse(JSON.parse(text));
    switch (message.type) {
      case 'connection_ack':
        return { kind: 'acknowledged' };
      case 'connection_error':
        return { kind: 'rejected', reason: JSON.stringify(message.payload).slice(0, 200) };
      case 'data':
        return { kind: 'event', id: message.id, event: message.payload as SubgraphEvent };
      case 'error':
        return { kind: 'refused', id: message.id, errors: [message.payload ?? []].flat() };
      case 'complete':
        return { kind: 'completed', id: message.id };
      default:
        return { kind: 'idle' };
    }
  },
};

/** The protocols over WebSocket that the gateway speaks, the preferred one first. */
export const webSocketProtocols: readonly WebSocketProtocol[] = [graphqlTransportWs, olderGraphqlWs];
