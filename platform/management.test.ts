import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { HealthRegistry } from './health.ts';
import { silentLog } from './log.ts';
import { createManagementServer } from './management.ts';
import { serveBreakers } from './resilience/breaker-endpoints.ts';
import { BreakerRegistry } from './resilience/breaker-registry.ts';

test('the management server links to every endpoint that the process serves, and to nothing else', async () => {
  const metrics = new Registry();
  const app = createManagementServer({ name: 'test', log: silentLog, health: new HealthRegistry(), metrics });
  serveBreakers(app, new BreakerRegistry(metrics));
  app.get('/actuator/supergraph/sdl', (_request, reply) => reply.send('type Query'));

  const answer = await app.inject({ url: '/actuator', headers: { host: 'portico:8081' } });
  const { _links: links } = answer.json<{ _links: Record<string, { href: string }> }>();
  expect(Object.keys(links).sort()).toEqual([
    'circuitbreakers',
    'health',
    'health-liveness',
    'health-readiness',
    'info',
    'prometheus',
    'self',
    'supergraph-sdl',
  ]);
  expect(links['circuitbreakers']).toEqual({ href: 'http://portico:8081/actuator/circuitbreakers' });
  for (const { href } of Object.values(links))
    expect((await app.inject(new URL(href).pathname)).statusCode).not.toBe(404);
});
