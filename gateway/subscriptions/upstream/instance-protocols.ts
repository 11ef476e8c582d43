import type { GraphQLError } from 'graphql';
import { messageOf } from '../../../platform/errors.ts';
import type { Logger } from '../../../platform/log.ts';
import { metadataKeys } from '../../../platform/registry/instance.ts';
import { GatewayError } from '../../gateway-error.ts';
import type { Endpoint } from '../../routing/endpoint.ts';
import type { ProtocolError } from './results.ts';
import { type WebSocketProtocol, webSocketProtocols } from './websocket-protocols.ts';

/** Server-Sent Events, as an instance names its protocol. */
const streamProtocol = 'graphql-sse';
const protocolNames = [...webSocketProtocols.map(({ name }) => name), streamProtocol];

/** The protocol of an instance's subscriptions, as it was registered or found out. */
export interface InstanceProtocol {
  /** True if it answers with streams, and takes no WebSocket. */
  streams: boolean;
  /** Protocols to offer to it over a WebSocket. */
  readonly offered: readonly WebSocketProtocol[];
  /** True if a stream is tried when it takes no WebSocket. */
  readonly mayStream: boolean;
  /** Logs what was tried, once for the same instance. @returns what the client is told */
  unsupported(faults: readonly ProtocolError[]): GraphQLError;
}

/** Creates the memory of the protocol of each instance. */
export function createInstanceProtocols(log: Logger): (endpoint: Endpoint) => InstanceProtocol {
  const known = new WeakMap<Endpoint, InstanceProtocol>();
  return endpoint => {
    const protocol = known.get(endpoint) ?? protocolOf(endpoint, log);
    known.set(endpoint, protocol);
    return protocol;
  };
}

function protocolOf(
  { subgraph, id: instance, subscriptionsProtocol: named }: Endpoint,
  log: Logger,
): InstanceProtocol {
  if (named !== undefined && !protocolNames.includes(named))
    log.warn(
      { subgraph, instance },
      `The instance registered ${metadataKeys.subscriptionsProtocol} as ${JSON.stringify(named.slice(0, 50))}, which is none of ${protocolNames.join(', ')}; the gateway finds out by itself`,
    );
  const offered = webSocketProtocols.filter(({ name }) => name === named);
  let logged: string | undefined;
  return {
    streams: named === streamProtocol,
    offered: offered.length > 0 ? offered : webSocketProtocols,
    mayStream: offered.length === 0,
    unsupported(faults) {
      const tried = faults.map(messageOf).join('; ');
      if (tried !== logged)
        log.warn(
          { subgraph, instance },
          `The subgraph serves no subscriptions in a protocol that the gateway speaks. Tried: ${tried}. Where they are served at another path, register that as '${metadataKeys.subscriptionsPath}'`,
        );
      logged = tried;
      return new GatewayError(
        'SUBSCRIPTIONS_UNSUPPORTED',
        `The subgraph '${subgraph}' serves no subscriptions in a protocol that the gateway speaks (${protocolNames.join(', ')})`,
        { details: { subgraph } },
      ).toGraphQLError();
    },
  };
}
