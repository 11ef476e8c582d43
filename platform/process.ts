import { hostname } from 'node:os';
import type { FastifyInstance } from 'fastify';
import type { Registry } from 'prom-client';
import type * as z from 'zod';
import { ConfigError, loadConfig, type ProcessConfig, type processSettings } from './config.ts';
import { messageOf } from './errors.ts';
import { HealthRegistry } from './health.ts';
import { listen } from './http.ts';
import { createScope, type Scope } from './lifecycle.ts';
import { createLogger, type Logger } from './log.ts';
import { createManagementServer } from './management.ts';
import { createManagementAccess } from './management-access.ts';
import { createMetrics } from './metrics.ts';
import { onTermination } from './termination.ts';

/** Parts that a process hands to the server that it runs. */
export interface ProcessContext<C extends ProcessConfig = ProcessConfig> {
  readonly name: string;
  readonly config: Readonly<C>;
  readonly log: Logger;
  readonly metrics: Registry;
  readonly health: HealthRegistry;
  /** The management server, for the room's own endpoints; it listens already when `start` is called with `listening`. */
  readonly management: FastifyInstance;
  /** Everything started goes in here; it closes in reverse order at shutdown. */
  readonly scope: Scope;
  /** Starts the management server. Call it once, after the room has added its endpoints. */
  listenForManagement(): Promise<{ port: number }>;
  /** Host by which others reach this process. */
  readonly advertisedHost: string;
}

/** Ports that the process serves, reported to whoever started it. */
export type Ports = Readonly<Record<string, number>>;

interface RunProcessOptions<S extends typeof processSettings> {
  readonly name: string;
  readonly settings: S;
  /** Starts everything; resolves when the process can take requests. */
  readonly start: (context: ProcessContext<z.infer<S>>) => Promise<Ports>;
}

/**
 * Runs one process from its environment to its end: configuration, logs, management endpoints, start, signals.
 * SIGTERM, SIGINT, SIGHUP, and the end of the parent that opened an IPC channel shut it down gracefully: readiness fails
 * first, then everything closes in reverse order. A parent with an IPC channel gets `{ type: 'ready', name, ports }`.
 */
export async function runProcess<S extends typeof processSettings>({
  name,
  settings,
  start,
}: RunProcessOptions<S>): Promise<void> {
  let config: Readonly<z.infer<S>>;
  try {
    config = loadConfig(settings, process.env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${name} cannot start. ${error.message}\n`);
    process.exitCode = 1;
    process.disconnect?.();
    return;
  }
  const context = createProcessContext(name, config as Readonly<ProcessConfig>);
  const stop = shutdownOf(context);
  onTermination(reason => void stop(reason, 0));
  try {
    const ports = await start(context as ProcessContext<z.infer<S>>);
    if (context.scope.open.length === 0) return;
    context.health.acceptTraffic();
    context.log.info({ ports }, `${name} is ready`);
    process.send?.({ type: 'ready', name, ports });
  } catch (error) {
    context.log.fatal({ err: error }, `${name} failed to start: ${messageOf(error)}`);
    await stop('start failed', 1);
  }
}

/** Makes the context of a process that is not started by {@link runProcess}, as tests do. */
export function createProcessContext<C extends ProcessConfig>(
  name: string,
  config: Readonly<C>,
): ProcessContext<C> {
  const log = createLogger(name, { level: config.LOG_LEVEL });
  const metrics = createMetrics();
  const health = new HealthRegistry();
  const scope = createScope(log);
  const access = createManagementAccess({ host: config.HOST, token: config.MANAGEMENT_TOKEN });
  const management = createManagementServer({ name, log, config, health, metrics, access });
  return {
    name,
    config,
    log,
    metrics,
    health,
    management,
    scope,
    advertisedHost: advertisedHostOf(config),
    async listenForManagement() {
      return scope.use(
        'management server',
        await listen(management, { host: config.HOST, port: config.MANAGEMENT_PORT }),
      );
    },
  };
}

function advertisedHostOf({ HOST, ADVERTISED_HOST }: ProcessConfig): string {
  if (ADVERTISED_HOST) return ADVERTISED_HOST;
  return HOST === '0.0.0.0' || HOST === '::' ? hostname() : HOST;
}

function shutdownOf({ name, log, health, scope, config }: ProcessContext) {
  let stopping: Promise<void> | undefined;
  return (reason: string, exitCode: number): Promise<void> => {
    stopping ??= (async () => {
      log.info({ reason }, `${name} is shutting down`);
      health.refuseTraffic();
      const deadline = setTimeout(() => {
        log.error({ open: scope.open }, `${name} did not close within ${config.SHUTDOWN_TIMEOUT_MS} ms`);
        process.exit(1);
      }, config.SHUTDOWN_TIMEOUT_MS);
      await scope.close();
      clearTimeout(deadline);
      log.info(`${name} has stopped`);
      process.exit(exitCode);
    })();
    return stopping;
  };
}
