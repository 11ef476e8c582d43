import type * as z from 'zod';
import type { processSettings } from '../config.ts';
import { version } from '../management.ts';
import type { ProcessContext } from '../process.ts';
import { createEurekaClient } from './eureka-client.ts';
import { metadataKeys } from './instance.ts';
import { register } from './registration.ts';
import type { registrySettings } from './settings.ts';

type RegistryConfig = z.infer<typeof processSettings> & z.infer<typeof registrySettings>;

interface Served {
  readonly port: number;
  /** True if the port speaks TLS. @default false */
  readonly isSecure?: boolean;
  readonly managementPort: number;
  /** Metadata besides the management port, the version and the zone, which every process registers. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Time that the process goes on serving after it has left the registry, so that followers hear of it, in ms. */
  readonly graceMs: number;
  /** True if nobody finds the process but by its entry: it is not ready before a registry has that. @default false */
  readonly isFoundByEntry?: boolean;
}

/**
 * Puts the process into the registry until its scope closes, once everything has come that its readiness waits for. It goes
 * on trying while the registry is away.
 */
export function registerProcess(context: ProcessContext<RegistryConfig>, served: Served): void {
  const { name, config, log, scope, health, advertisedHost } = context;
  const registered = register({
    client: createEurekaClient({ urls: config.EUREKA_URL, token: config.DISCOVERY_TOKEN }),
    log,
    after: health.awaited(),
    registration: {
      service: name,
      host: advertisedHost,
      port: served.port,
      isSecure: served.isSecure,
      lease: {
        renewalIntervalSeconds: config.LEASE_RENEWAL_INTERVAL_SECONDS,
        durationSeconds: config.LEASE_DURATION_SECONDS,
      },
      metadata: {
        ...served.metadata,
        [metadataKeys.managementPort]: String(served.managementPort),
        [metadataKeys.version]: version,
        ...(config.INSTANCE_ZONE === undefined ? {} : { [metadataKeys.zone]: config.INSTANCE_ZONE }),
      },
    },
  });
  // Who replaces instances takes an older one away when this one is ready.
  if (served.isFoundByEntry)
    health.awaitOnce(
      'registration',
      registered.acknowledged,
      'No registry of EUREKA_URL has taken this instance in yet, and nobody finds it. Check that one of them runs; the log says how registering fails.',
    );
  scope.defer('registration', async () => {
    await registered.close();
    await new Promise(resolve => setTimeout(resolve, served.graceMs));
  });
  health.add('discovery', () => ({ status: registered.registered ? 'UP' : 'UNKNOWN' }), { groups: [] });
}
