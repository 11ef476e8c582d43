import { isIPv6 } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { version } from '../../platform/management.ts';
import { metadataKeys } from '../../platform/registry/instance.ts';
import type { Lease } from '../registry/lease.ts';
import { SharedText } from '../wire/shared-text.ts';
import { sendShared } from './answer.ts';
import type { EurekaContext } from './eureka-context.ts';

interface TargetGroup {
  readonly targets: readonly [string];
  readonly labels: Readonly<Record<string, string>>;
}

interface OwnTarget {
  readonly host: string;
  readonly managementPort: number;
  /** Port of the registry, which names this process among its peers. */
  readonly port: () => number;
}

/**
 * Adds what Prometheus's `http_sd_configs` asks for: the management address of every instance that has one, whatever
 * its status, and of this registry. `service`, `instance` and `version` become labels as they are; the rest can be
 * relabelled from `__meta_discovery_*`.
 *
 * Source: https://prometheus.io/docs/prometheus/latest/http_sd/
 */
export function addPrometheusRoutes(
  app: FastifyInstance,
  { registry, now }: Pick<EurekaContext, 'registry' | 'now'>,
  own: OwnTarget,
): void {
  const list = () => [...registry.leases.all()].flatMap(lease => targetJson(lease) ?? []);
  const targets = new SharedText({
    make: () => `[${[JSON.stringify(ownTarget(own)), ...list()].join(',')}]`,
    version: () => registry.sequence,
    now,
  });
  app.get('/prometheus/http_sd', (request, reply) =>
    sendShared(request, reply.type('application/json'), targets),
  );
}

function ownTarget({ host, managementPort, port }: OwnTarget): TargetGroup {
  return {
    targets: [address(host, String(managementPort))],
    labels: { service: 'discovery', instance: `${host}:discovery:${port()}`, version },
  };
}

/** A renewal leaves a lease what it is, and each other change makes a new one. */
const jsonByLease = new WeakMap<Lease, string>();

function targetJson(lease: Lease): string | undefined {
  const known = jsonByLease.get(lease);
  if (known !== undefined) return known;
  const target = targetOf(lease);
  if (target === undefined) return undefined;
  const json = JSON.stringify(target);
  jsonByLease.set(lease, json);
  return json;
}

function targetOf({ info, status }: Lease): TargetGroup | undefined {
  const { [metadataKeys.managementPort]: managementPort, [metadataKeys.version]: build } = info.metadata;
  if (!managementPort) return undefined;
  const metadata = Object.entries(info.metadata).map(([key, value]) => [
    `__meta_discovery_metadata_${key.replace(/\W/g, '_')}`,
    value,
  ]);
  return {
    targets: [address(info.hostName, managementPort)],
    labels: {
      ...Object.fromEntries(metadata),
      __meta_discovery_app: info.app,
      __meta_discovery_hostname: info.hostName,
      __meta_discovery_status: status,
      service: info.app.toLowerCase(),
      instance: info.instanceId,
      ...(build && { version: build }),
    },
  };
}

function address(host: string, port: string): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}
