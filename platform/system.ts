import { Agent } from 'undici';
import type * as z from 'zod';
import { callerSettings, openCallerTokens } from './caller.ts';
import { processSettings } from './config.ts';
import type { ProcessContext } from './process.ts';
import type { RegistryView } from './registry/follower.ts';
import { joinRegistry } from './registry/join-registry.ts';
import { registrySettings } from './registry/settings.ts';
import { serveBreakers } from './resilience/breaker-endpoints.ts';
import { BreakerRegistry } from './resilience/breaker-registry.ts';
import type { BreakerSettings } from './resilience/circuit-breaker.ts';
import { createServiceClient, isServiceFailure, type ServiceClient } from './service-client.ts';

/** Settings of a process that calls other services of the system. */
export const systemSettings = processSettings.extend({
  ...registrySettings.shape,
  ...callerSettings.shape,
});

/** The rest of the system, as one process sees it. */
export interface SystemView {
  readonly registry: RegistryView;
  readonly breakers: BreakerRegistry;
  /** Makes a client of a service, with a breaker of the service's name. */
  clientOf(service: string, settings?: Partial<BreakerSettings>): ServiceClient;
}

/** Follows the registry and gets ready to call what is in it. */
export function joinSystem(context: ProcessContext<z.infer<typeof systemSettings>>): SystemView {
  const { name, config, metrics, scope, health, management } = context;
  const { registry, lookup } = joinRegistry(context);
  const breakers = new BreakerRegistry(metrics);
  serveBreakers(management, breakers);
  const callers = openCallerTokens(config);
  const agent = new Agent({
    connections: 64,
    keepAliveTimeout: 10_000,
    connect: { timeout: 1_000, lookup },
  });
  scope.use('connections to other services', { close: () => agent.close() });
  health.add(
    'circuitBreakers',
    () => ({
      status: 'UP',
      details: Object.fromEntries(
        breakers.all.map(breaker => [breaker.name, { state: breaker.state, ...breaker.stats }]),
      ),
    }),
    { groups: [] },
  );
  return {
    registry,
    breakers,
    clientOf: (service, settings = {}) =>
      createServiceClient({
        service,
        self: name,
        zone: config.INSTANCE_ZONE,
        registry,
        breaker: breakers.create(service, { settings, isFailure: isServiceFailure }),
        callers,
        agent,
      }),
  };
}
