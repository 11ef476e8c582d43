import { randomBytes } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import { createHttpServer, listen } from '../platform/http.ts';
import type { Ports, ProcessContext } from '../platform/process.ts';
import { appsHashcode } from '../platform/registry/hashcode.ts';
import { steadyNow } from './clock.ts';
import type { DiscoveryConfig } from './config.ts';
import { guard } from './http/access.ts';
import type { SharedListing } from './http/answer.ts';
import { ChangeStream } from './http/change-stream.ts';
import { addDashboardRoutes } from './http/dashboard-routes.ts';
import { addEurekaRoutes, eurekaBases } from './http/eureka-routes.ts';
import { addPrometheusRoutes } from './http/prometheus-routes.ts';
import { addHealth, addMetrics, type Observed } from './observe.ts';
import { startEvictions } from './registry/evictions.ts';
import type { Lease } from './registry/lease.ts';
import { InstanceRegistry } from './registry/registry.ts';
import { type Completeness, startCompleteness } from './replication/completeness.ts';
import { copyFromPeers } from './replication/copy.ts';
import { openLink } from './replication/link.ts';
import type { PeerOptions } from './replication/peer.ts';
import { type Peers, startPeers } from './replication/peers.ts';
import { createRegistrants } from './replication/registrants.ts';
import { listApplications } from './wire/applications.ts';
import { applicationsJson } from './wire/json.ts';
import { SharedText } from './wire/shared-text.ts';
import { applicationsXml } from './wire/xml-write.ts';

type DiscoveryContext = ProcessContext<DiscoveryConfig>;

/**
 * Starts the registry: copies its peers, and serves from then on.
 *
 * @returns the ports that it serves: `http` and `management`
 */
export async function startDiscovery(context: DiscoveryContext): Promise<Ports> {
  const { config, log, scope } = context;
  const name = randomBytes(6).toString('hex');
  let peers: Peers | undefined;
  const registry = createRegistry(config, source => peers?.isCutOff(source) ?? false);
  const peerOptions: PeerOptions = {
    registry,
    ownName: name,
    token: config.DISCOVERY_TOKEN,
    timeoutMs: config.DISCOVERY_PEER_TIMEOUT_MS,
    now: steadyNow,
    log,
  };
  const { port: management } = await context.listenForManagement();
  const links = config.DISCOVERY_PEERS.map(url => openLink(url, peerOptions));
  const copied = await copyFromPeers({ registry, links, now: steadyNow, log });
  scope.use('evictions', startEvictions(registry, steadyNow));
  peers = scope.use('peers', startPeers(config.DISCOVERY_PEERS, peerOptions));
  const observed = observe(context, { registry, name, peers, copied });
  addMetrics(context.metrics, observed);
  addHealth(context.health, observed);
  return { http: await serve(context, observed, management), management };
}

function createRegistry(
  config: DiscoveryConfig,
  isCutOff: NonNullable<ConstructorParameters<typeof InstanceRegistry>[0]['isCutOff']>,
): InstanceRegistry {
  return new InstanceRegistry({
    now: steadyNow,
    maxInstances: config.DISCOVERY_MAX_INSTANCES,
    maxInstancesPerAddress: config.DISCOVERY_MAX_INSTANCES_PER_ADDRESS || Number.POSITIVE_INFINITY,
    isCutOff,
    selfPreservation: {
      enabled: config.DISCOVERY_SELF_PRESERVATION,
      minLateLeases: config.DISCOVERY_SELF_PRESERVATION_MIN_LATE_LEASES,
      latePercent: config.DISCOVERY_SELF_PRESERVATION_LATE_PERCENT,
      maxHoldMs: config.DISCOVERY_SELF_PRESERVATION_MAX_MS,
    },
  });
}

/** Creates the state that the endpoints work on: the lists, the change stream, and whether they are complete. */
function observe(
  { config, scope }: DiscoveryContext,
  { copied, ...parts }: Pick<Observed, 'registry' | 'name' | 'peers'> & { copied: boolean },
): Observed {
  const { registry, name } = parts;
  let completeness: Completeness | undefined;
  const isComplete = () => completeness?.complete ?? false;
  const all = shareListing(registry, () => registry.leases.all());
  const delta = shareListing(registry, () => registry.recentChanges());
  const changes = new ChangeStream({
    registry,
    epoch: name,
    snapshot: () => all.json.plain(),
    isComplete,
    maxFollowers: config.DISCOVERY_MAX_FOLLOWERS,
    replayEvents: config.DISCOVERY_REPLAY_EVENTS,
    maxPendingBytes: config.DISCOVERY_FOLLOWER_BUFFER_BYTES,
  });
  const warmupMs = config.DISCOVERY_WARMUP_MS;
  completeness = scope.use(
    'completeness',
    startCompleteness({ copied, warmupMs, onComplete: () => changes.resend() }),
  );
  return {
    ...parts,
    changes,
    all,
    delta,
    isComplete,
    now: steadyNow,
    registrantOf: createRegistrants(config.DISCOVERY_PEERS),
    maxInstancesPerAddress: config.DISCOVERY_MAX_INSTANCES_PER_ADDRESS,
    maxRegistrationBytes: config.DISCOVERY_MAX_REGISTRATION_BYTES,
    maxHoldMs: config.DISCOVERY_SELF_PRESERVATION_MAX_MS,
  };
}

/** Makes a list in both its forms, of some of the leases and with the hash of all. */
function shareListing(registry: InstanceRegistry, select: () => Iterable<Lease>): SharedListing {
  const list = () => listApplications(select(), appsHashcode(registry.leases.countByStatus));
  const version = () => registry.sequence;
  return {
    json: new SharedText({ make: () => applicationsJson(list()), version, now: steadyNow }),
    xml: new SharedText({ make: () => applicationsXml(list()), version, now: steadyNow }),
  };
}

async function serve(context: DiscoveryContext, observed: Observed, managementPort: number): Promise<number> {
  const { config, log, metrics, scope, advertisedHost } = context;
  const app = createHttpServer({ log, config, metrics });
  guard(app, { token: config.DISCOVERY_TOKEN, readsNeedToken: config.DISCOVERY_READS_NEED_TOKEN });
  for (const prefix of eurekaBases)
    app.register(async (scoped: FastifyInstance) => addEurekaRoutes(scoped, observed), { prefix });

  let port = config.DISCOVERY_PORT;
  addPrometheusRoutes(app, observed, {
    host: advertisedHost,
    managementPort,
    port: () => port,
  });
  addDashboardRoutes(app, observed, {
    app: config.DISCOVERY_GATEWAY_APP,
    // Anybody could register as a gateway where registering needs no token.
    token: config.DISCOVERY_TOKEN === undefined ? undefined : config.MANAGEMENT_TOKEN,
  });
  // Streams never end by themselves, and would keep the server from closing.
  app.addHook('preClose', () => observed.changes.close());
  const server = scope.use(
    'registry server',
    await listen(app, { host: config.HOST, port: config.DISCOVERY_PORT }),
  );
  port = server.port;
  return port;
}
