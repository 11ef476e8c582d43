import { onTestFinished } from 'vitest';
import { type Child, startChild } from '../../dev/child.ts';
import { silentLog } from '../../platform/log.ts';
import { createEurekaClient } from '../../platform/registry/eureka-client.ts';
import { followRegistry, type RegistryView } from '../../platform/registry/follower.ts';
import { type Registered, register } from '../../platform/registry/registration.ts';

/** A registry that runs as a process of its own. */
export interface DiscoveryProcess {
  /** Base of its Eureka API. */
  readonly eureka: string;
  /** `http://127.0.0.1:<port>`. */
  readonly url: string;
  readonly port: number;
  readonly managementUrl: string;
  readonly child: Child;
  /** Lines that it has logged. */
  readonly lines: string[];
}

/** Starts a registry; it ends with the test. */
export async function startDiscoveryProcess(env: Record<string, string> = {}): Promise<DiscoveryProcess> {
  const lines: string[] = [];
  const child = await startChild({
    name: 'discovery',
    entry: 'discovery/main.ts',
    env: { DISCOVERY_PORT: '0', MANAGEMENT_PORT: '0', LOG_LEVEL: 'info', ...env },
    onLine: (_name, line) => void lines.push(line),
  });
  onTestFinished(() => child.stop('SIGKILL'));
  const { http: port = 0, management = 0 } = child.ready.ports ?? {};
  const url = `http://127.0.0.1:${port}`;
  return {
    child,
    lines,
    port,
    url,
    eureka: `${url}/eureka`,
    managementUrl: `http://127.0.0.1:${management}`,
  };
}

interface ServiceOptions {
  readonly urls: readonly string[];
  readonly port: number;
  readonly service?: string;
  readonly metadata?: Readonly<Record<string, string>>;
  /** @default renewed each second, gone after three */
  readonly lease?: { readonly renewalIntervalSeconds: number; readonly durationSeconds: number };
}

/** Registers an instance with the system's own client, which renews it until the test ends. */
export async function registerService(options: ServiceOptions): Promise<Registered> {
  const { urls, port, service = 'products', metadata = {} } = options;
  const registered = register({
    client: createEurekaClient({ urls }),
    log: silentLog,
    registration: {
      service,
      host: '127.0.0.1',
      port,
      metadata,
      lease: options.lease ?? { renewalIntervalSeconds: 1, durationSeconds: 3 },
    },
  });
  onTestFinished(() => registered.close());
  await registered.acknowledged;
  return registered;
}

/** Follows registries with the system's own client. */
export function follow(urls: readonly string[]): RegistryView {
  const view = followRegistry({ client: createEurekaClient({ urls }), log: silentLog });
  onTestFinished(() => view.close());
  return view;
}

/** Fetches JSON; undefined when nobody answers. */
export async function getJson<T>(url: string): Promise<T | undefined> {
  try {
    const response = await fetch(url, { headers: { accept: 'application/json' } });
    return (await response.json()) as T;
  } catch {
    return undefined;
  }
}

interface Listing {
  applications: { apps__hashcode: string; application: { instance: { instanceId: string }[] }[] };
}

/** Ids of the instances that a registry lists; undefined when it does not answer. */
export async function listedAt(eureka: string): Promise<string[] | undefined> {
  const list = await getJson<Listing>(`${eureka}/apps`);
  return list?.applications.application
    .flatMap(({ instance }) => instance.map(({ instanceId }) => instanceId))
    .sort();
}

/** Asks again and again until the check passes. @throws its last failure when the time is over */
export async function eventually<T>(check: () => Promise<T> | T, timeoutMs = 10_000): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;)
    try {
      return await check();
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await new Promise(resolve => setTimeout(resolve, 25));
    }
}
