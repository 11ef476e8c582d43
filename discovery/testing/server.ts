import { onTestFinished } from 'vitest';
import { loadConfig } from '../../platform/config.ts';
import { createProcessContext } from '../../platform/process.ts';
import { discoverySettings } from '../config.ts';
import { startDiscovery } from '../server.ts';

/** A registry that runs inside the test. */
export interface TestDiscovery {
  /** `http://127.0.0.1:<port>`. */
  readonly url: string;
  readonly managementUrl: string;
  readonly port: number;
  close(): Promise<void>;
}

/** Starts a registry on free ports, complete from the start; it ends with the test. */
export async function startTestDiscovery(env: Record<string, string> = {}): Promise<TestDiscovery> {
  const config = loadConfig(discoverySettings, {
    DISCOVERY_PORT: '0',
    DISCOVERY_WARMUP_MS: '0',
    LOG_LEVEL: 'silent',
    ...env,
  });
  const context = createProcessContext('discovery', config);
  const ports = await startDiscovery(context);
  context.health.acceptTraffic();
  const close = () => context.scope.close();
  onTestFinished(close);
  const port = ports['http'] ?? 0;
  return {
    url: `http://127.0.0.1:${port}`,
    managementUrl: `http://127.0.0.1:${ports['management']}`,
    port,
    close,
  };
}

/** A registration as a client sends it. */
export function registrationOf(service: string, port: number, facts: Record<string, unknown> = {}) {
  return {
    instance: {
      instanceId: `127.0.0.1:${service}:${port}`,
      hostName: '127.0.0.1',
      ipAddr: '127.0.0.1',
      app: service.toUpperCase(),
      status: 'UP',
      port: { $: port, '@enabled': 'true' },
      securePort: { $: 443, '@enabled': 'false' },
      dataCenterInfo: { name: 'MyOwn' },
      vipAddress: service,
      secureVipAddress: service,
      lastDirtyTimestamp: '1700000000000',
      ...facts,
    },
  };
}

/** Registers an instance at a registry. */
export async function registerAt(
  url: string,
  registration: ReturnType<typeof registrationOf>,
): Promise<Response> {
  return fetch(`${url}/eureka/apps/${registration.instance.app}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(registration),
  });
}

/** Asks again and again until the answer is right. @throws the last failure of `check` after 5 s */
export async function eventually<T>(check: () => Promise<T> | T, timeoutMs = 5_000): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;)
    try {
      return await check();
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await new Promise(resolve => setTimeout(resolve, 20));
    }
}

/** Ids of the instances that a registry lists. */
export async function listedAt(url: string): Promise<string[]> {
  const response = await fetch(`${url}/eureka/apps`, { headers: { accept: 'application/json' } });
  const { applications } = (await response.json()) as {
    applications: { application: { instance: { instanceId: string }[] }[] };
  };
  return applications.application
    .flatMap(({ instance }) => instance.map(({ instanceId }) => instanceId))
    .sort();
}
