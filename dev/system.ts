import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type DevKeys, openDevKeys } from '../cli/keys.ts';
import { deployMigrations } from '../prisma/migrate.ts';
import { seed } from '../prisma/seed.ts';
import { type ServiceName, serviceNames } from '../services.ts';
import type { Child } from './child.ts';
import { discoveryIndex, gatewayIndex, managementPort, portsOf, subgraphPort } from './port-assignment.ts';
import { checkPorts } from './ports.ts';
import { Processes } from './processes.ts';
import { givenDatabaseUrl, graphUrlOf, rootDir, type SystemSettings } from './settings.ts';

/** A step of the start that is done. */
export interface Step {
  readonly what: string;
  /** Address of what was started, or what was done. */
  readonly where: string;
  readonly tookMs: number;
}

/** Options of {@link startSystem}. */
export interface SystemOptions {
  readonly settings: SystemSettings;
  /** Instances of each subgraph. @default 1 */
  readonly scale?: Partial<Readonly<Record<ServiceName, number>>>;
  /** Added to the environment of every process. */
  readonly env?: Readonly<Record<string, string>>;
  readonly onStep?: (step: Step) => void;
  /** Gets each line that a process writes. */
  readonly onLine?: (name: string, line: string) => void;
  /** Gives the start up: what has been started is ended, and the start fails with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** The whole system on one machine. */
export interface System {
  readonly graphUrl: string;
  readonly registryUrl: string;
  readonly keys: DevKeys;
  /** Running processes by their instance's name, such as `orders-2`; the only one of a kind has no number. */
  readonly children: ReadonlyMap<string, Child>;
  /** Databases by service, and the brokers, that the system uses. */
  readonly databaseUrls: Readonly<Record<ServiceName, string>>;
  readonly kafkaBrokers: string;
  /** Starts a process that was stopped, with what it had; or one more of a subgraph. */
  start(name: string): Promise<Child>;
  /** Ends all processes in the reverse order of their dependence. */
  close(): Promise<void>;
}

/** Runs a step of the start, and reports it. */
type RunStep = <T>(what: string, run: () => Promise<T>, where: (result: T) => string) => Promise<T>;

/** Longest time until the graph has all subgraphs, in ms. */
const graphTimeoutMs = 60_000;

/**
 * Starts the whole system as separate processes: what it stands on (PostgreSQL, Kafka, the registry), then the gateway
 * and the subgraphs. Resolves when the graph has every subgraph.
 *
 * @throws Error when a port is taken, before anything is started; or when a part does not start, after ending the others
 */
export async function startSystem(options: SystemOptions): Promise<System> {
  const { settings, scale = {}, env = {}, onStep = () => {}, onLine = () => {}, signal } = options;
  await checkPorts(portsOf(settings));
  const keys = await openDevKeys(settings.PORTICO_DATA_DIR);
  const processes = new Processes({ env, onLine, signal });

  const step: RunStep = async (what, run, where) => {
    const startedAt = performance.now();
    const result = await run();
    onStep({ what, where: where(result), tookMs: Math.round(performance.now() - startedAt) });
    return result;
  };

  function startProcess(name: string, entry: string, processEnv: Record<string, string>): Promise<Child> {
    return step(name, () => processes.start(name, entry, processEnv), addressOf);
  }

  async function startBase() {
    const dataDir = settings.PORTICO_DATA_DIR;
    const [postgres, kafka, discovery] = await Promise.all([
      serviceNames.every(name => givenDatabaseUrl(settings, name))
        ? undefined
        : startProcess('postgres', 'prisma/postgres/main.ts', {
            POSTGRES_PORT: String(settings.POSTGRES_PORT),
            POSTGRES_DATA_DIR: join(dataDir, 'postgres'),
          }),
      settings.KAFKA_BROKERS
        ? undefined
        : startProcess('kafka', 'broker/main.ts', {
            KAFKA_PORT: String(settings.KAFKA_PORT),
            KAFKA_DATA_DIR: join(dataDir, 'kafka'),
          }),
      settings.EUREKA_URL
        ? undefined
        : startProcess('discovery', 'discovery/main.ts', {
            DISCOVERY_PORT: String(settings.DISCOVERY_PORT),
            MANAGEMENT_PORT: String(managementPort(settings, discoveryIndex)),
          }),
    ]);
    return {
      postgresUrl: postgres?.ready.url,
      kafkaBrokers: settings.KAFKA_BROKERS ?? `127.0.0.1:${kafka?.ready.port}`,
      registryUrl: settings.EUREKA_URL ?? `http://127.0.0.1:${discovery?.ready.ports?.['http']}/eureka`,
    };
  }

  try {
    const base = await startBase();
    const common = { EUREKA_URL: base.registryUrl, CALLER_SECRET: keys.callerSecret };
    const gateway = startProcess('gateway', 'gateway/main.ts', {
      ...common,
      GATEWAY_PORT: String(settings.GATEWAY_PORT),
      MANAGEMENT_PORT: String(managementPort(settings, gatewayIndex)),
      GATEWAY_DATA_DIR: join(settings.PORTICO_DATA_DIR, 'gateway'),
      JWT_JWKS_URL: keys.jwksUrl,
      // As Apollo Router's users know it.
      QUERY_PLAN_SECRET: process.env['QUERY_PLAN_SECRET'] ?? 'true',
      EXPLORER_DOCUMENT_FILE: join(rootDir, 'subgraphs', 'sample-operations.graphql'),
      EXPLORER_AUTHORIZATION: `Bearer ${await keys.mintToken('alice')}`,
    });
    const databases = prepareDatabases(settings, base.postgresUrl, step);
    const instances = databases.then(databaseUrls =>
      Promise.all(
        instancesOf(settings, scale).map(({ name, service, ports }) =>
          startProcess(name, `subgraphs/${service}/main.ts`, {
            ...common,
            ...ports,
            DATABASE_URL: databaseUrls[service],
            KAFKA_BROKERS: base.kafkaBrokers,
          }),
        ),
      ),
    );
    const [{ ready }, databaseUrls] = await Promise.all([gateway, databases, instances]);
    const actuatorUrl = `http://127.0.0.1:${ready.ports?.['management']}/actuator`;
    const { MANAGEMENT_TOKEN: token } = { ...process.env, ...env };
    await step(
      'graph',
      () => untilGraphHas(serviceNames, { actuatorUrl, token }, signal),
      names => names.join(', '),
    );
    processes.settle();
    return {
      graphUrl: graphUrlOf(settings, ready.ports?.['http'] ?? settings.GATEWAY_PORT),
      registryUrl: base.registryUrl,
      kafkaBrokers: base.kafkaBrokers,
      keys,
      children: processes.children,
      databaseUrls,
      start: async name => processes.restart(name),
      close: () => processes.close(),
    };
  } catch (error) {
    await processes.close();
    throw error;
  }
}

/** Migrates and fills the databases. @returns their URLs */
async function prepareDatabases(
  settings: SystemSettings,
  postgresUrl: string | undefined,
  step: RunStep,
): Promise<Record<ServiceName, string>> {
  const urls = Object.fromEntries(
    serviceNames.map(name => [
      name,
      givenDatabaseUrl(settings, name) ?? databaseUrl(postgresUrl ?? '', name),
    ]),
  ) as Record<ServiceName, string>;
  await step(
    'migrations',
    async () => {
      const applied: string[] = [];
      for (const service of serviceNames)
        applied.push(...(await deployMigrations({ service, databaseUrl: urls[service] })).applied);
      return applied;
    },
    applied => (applied.length > 0 ? `${applied.length} applied` : 'up to date'),
  );
  await step(
    'seed',
    () => seed({ productsUrl: urls.products, inventoryUrl: urls.inventory }),
    ({ products }) => (products > 0 ? `${products} products` : 'already there'),
  );
  return urls;
}

/** Every process of a subgraph to start. The first of a kind has the known ports, further ones take free ones. */
function instancesOf(settings: SystemSettings, scale: NonNullable<SystemOptions['scale']>) {
  return serviceNames.flatMap((service, index) => {
    const count = scale[service] ?? 1;
    return Array.from({ length: count }, (_, instance) => ({
      service,
      name: count === 1 ? service : `${service}-${instance + 1}`,
      ports: {
        PORT: String(instance === 0 ? subgraphPort(settings, index) : 0),
        MANAGEMENT_PORT: String(instance === 0 ? managementPort(settings, index + 1) : 0),
      },
    }));
  });
}

function databaseUrl(serverUrl: string, database: string): string {
  const url = new URL(serverUrl);
  url.pathname = `/${database}`;
  return url.href;
}

function addressOf({ ready }: Child): string {
  const port = ready.ports?.['http'] ?? ready.port;
  const elsewhere = ready.elsewhere === undefined ? '' : `, data in ${ready.elsewhere}`;
  return port === undefined ? 'ready' : `127.0.0.1:${port}${elsewhere}`;
}

/** Waits until the gateway is ready and serves a graph of all the subgraphs. */
async function untilGraphHas(
  names: readonly string[],
  { actuatorUrl, token }: { readonly actuatorUrl: string; readonly token: string | undefined },
  signal: AbortSignal | undefined,
): Promise<readonly string[]> {
  const deadlineMs = Date.now() + graphTimeoutMs;
  for (;;) {
    const { ok: isReady } = await fetch(`${actuatorUrl}/health/readiness`);
    const response = await fetch(`${actuatorUrl}/supergraph`, {
      headers: token ? { authorization: `Bearer ${token}` } : {},
    });
    const { subgraphs: served, faults } = (await response.json()) as {
      subgraphs: { name: string }[];
      faults: string[];
    };
    if (isReady && names.every(name => served.some(subgraph => subgraph.name === name))) return names;
    if (Date.now() > deadlineMs)
      throw new Error(
        `The graph has ${served.map(({ name }) => name).join(', ') || 'no subgraph'} after a minute, and not all of ${names.join(', ')} (${faults.join('; ')})`,
      );
    await delay(50, undefined, { signal });
  }
}
