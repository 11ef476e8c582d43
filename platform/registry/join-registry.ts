import type { LookupFunction } from 'node:net';
import type * as z from 'zod';
import type { processSettings } from '../config.ts';
import type { ProcessContext } from '../process.ts';
import { createEurekaClient } from './eureka-client.ts';
import { followRegistry, type RegistryView } from './follower.ts';
import { createInstanceHosts } from './host.ts';
import { createInstanceLookup } from './instance-connections.ts';
import type { registrySettings } from './settings.ts';

/** The other processes of the system, as one that calls them sees them. */
export interface Neighbours {
  readonly registry: RegistryView;
  /** Look-up of hosts for connections to instances. */
  readonly lookup: LookupFunction;
}

/**
 * Follows the registry for a process that calls others, until its scope closes. The process is not ready, and does not
 * register, before a registry has said for the first time who is there. A registry that goes later changes nothing.
 */
export function joinRegistry(
  context: ProcessContext<z.infer<typeof processSettings> & z.infer<typeof registrySettings>>,
): Neighbours {
  const { config, log, scope, health } = context;
  const hosts = createInstanceHosts(config);
  const client = createEurekaClient({ urls: config.EUREKA_URL, token: config.DISCOVERY_TOKEN, hosts });
  const registry = scope.use('registry follower', followRegistry({ client, log }));
  health.awaitOnce(
    'instances',
    firstAnswerOf(registry),
    'No registry of EUREKA_URL has told yet which instances there are. Check that one of them runs; the log says how each fails.',
  );
  return { registry, lookup: createInstanceLookup(hosts) };
}

function firstAnswerOf(registry: RegistryView): Promise<void> {
  return new Promise(resolve => {
    const unfollow = registry.onChange(() => {
      unfollow();
      resolve();
    });
  });
}
