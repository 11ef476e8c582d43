import { readFileSync } from 'node:fs';
import type { FastifyInstance } from 'fastify';
import type { Registry } from 'prom-client';
import type { HealthGroup, HealthRegistry } from './health.ts';
import { createHttpServer, type HttpServerOptions } from './http.ts';
import type { Logger } from './log.ts';
import type { ManagementAccess } from './management-access.ts';

interface ManagementOptions {
  readonly name: string;
  readonly log: Logger;
  readonly config: HttpServerOptions['config'];
  readonly health: HealthRegistry;
  readonly metrics: Registry;
  readonly access: ManagementAccess;
}

/** Version of this build, from package.json. */
export const version: string = readVersion();

function readVersion(): string {
  for (const path of ['../package.json', '../../package.json'])
    try {
      return (JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8')) as { version: string })
        .version;
    } catch {
      // The compiled tree is one folder deeper than the sources.
    }

  return 'unknown';
}

/**
 * Makes the management server of a process: `/actuator` with links to all others, `/actuator/health` with its `liveness`
 * and `readiness` groups, `/actuator/info`, `/actuator/prometheus`. Paths and shapes are Spring Boot Actuator's. Servers
 * add their own endpoints below `/actuator` before it listens; those are for operators only.
 */
export function createManagementServer({
  name,
  log,
  config,
  health,
  metrics,
  access,
}: ManagementOptions): FastifyInstance {
  const app = createHttpServer({ log, config });
  app.addHook('onRequest', (request, _reply, done) => {
    access.check(request);
    done();
  });
  const startedAt = new Date();

  const paths: string[] = [];
  app.addHook('onRoute', ({ method, url }) => {
    if (method === 'GET' && url.startsWith('/actuator')) paths.push(url);
  });
  // Links without a host: the one that a request names may be anybody's.
  app.get('/actuator', (_request, reply) =>
    reply.send({ _links: Object.fromEntries(paths.map(path => [linkOf(path), { href: path }])) }),
  );

  for (const [path, group] of [
    ['/actuator/health', 'all'],
    ['/actuator/health/liveness', 'liveness'],
    ['/actuator/health/readiness', 'readiness'],
  ] as const satisfies [string, HealthGroup][])
    app.get(path, async (request, reply) => {
      const answer = await health.check(group);
      const healthy = answer.status === 'UP' || answer.status === 'UNKNOWN';
      return reply.code(healthy ? 200 : 503).send({
        ...(access.isOperator(request) ? answer : { status: answer.status }),
        ...(group === 'all' ? { groups: ['liveness', 'readiness'] } : {}),
      });
    });

  app.get('/actuator/info', (_request, reply) =>
    reply.send({
      app: { name, version },
      process: { pid: process.pid, startedAt: startedAt.toISOString() },
      node: { version: process.version },
    }),
  );
  app.get('/actuator/prometheus', async (_request, reply) =>
    reply.type(metrics.contentType).send(await metrics.metrics()),
  );
  return app;
}

/** Name of the link to an endpoint: `/actuator/health/liveness` is `health-liveness`. */
function linkOf(path: string): string {
  return path === '/actuator' ? 'self' : path.slice('/actuator/'.length).replaceAll('/', '-');
}
