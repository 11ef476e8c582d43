import { Registry } from 'prom-client';
import { describe, expect, test } from 'vitest';
import { HealthRegistry } from './health.ts';
import { silentLog } from './log.ts';
import { createManagementServer } from './management.ts';
import { createManagementAccess } from './management-access.ts';
import { serveBreakers } from './resilience/breaker-endpoints.ts';
import { BreakerRegistry } from './resilience/breaker-registry.ts';

function start({ host = '127.0.0.1', token }: { host?: string; token?: string } = {}) {
  const metrics = new Registry();
  const health = new HealthRegistry();
  const access = createManagementAccess({ host, token });
  const config = { HTTP_HEADERS_TIMEOUT_MS: 20_000, HTTP_REQUEST_TIMEOUT_MS: 60_000 };
  const app = createManagementServer({ name: 'test', log: silentLog, config, health, metrics, access });
  serveBreakers(app, new BreakerRegistry(metrics));
  app.get('/actuator/supergraph/sdl', (_request, reply) => reply.send('type Query'));
  return app;
}

test('the management server links to every endpoint that the process serves, and to nothing else', async () => {
  const app = start();
  const answer = await app.inject('/actuator');
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
  expect(links['circuitbreakers']).toEqual({ href: '/actuator/circuitbreakers' });
  for (const { href } of Object.values(links)) expect((await app.inject(href)).statusCode).not.toBe(404);
});

const open = [
  '/actuator',
  '/actuator/health',
  '/actuator/health/readiness',
  '/actuator/info',
  '/actuator/prometheus',
];
const closed = [
  '/actuator/supergraph/sdl',
  '/actuator/circuitbreakers',
  '/actuator/supergraph/sdl?x=/actuator/health',
];
const token = 'a-token-of-some-length';

describe('a management port', () => {
  test.each(['127.0.0.1', '::1', 'localhost'])('that is bound to %s is open', async host => {
    for (const url of [...open, ...closed])
      expect((await start({ host }).inject(url)).statusCode).not.toBe(403);
    expect((await start({ host }).inject('/actuator/health')).json()).toHaveProperty('components');
  });

  test.each(['0.0.0.0', '::', '10.0.0.1', 'example.com'])(
    'that is bound to %s shows no internals, and changes nothing',
    async host => {
      const app = start({ host });
      for (const url of open) expect((await app.inject(url)).statusCode).not.toBe(403);
      for (const url of closed) {
        const answer = await app.inject(url);
        expect(answer.statusCode).toBe(403);
        expect(answer.json()).toMatchObject({
          error: { code: 'FORBIDDEN', message: expect.stringContaining('MANAGEMENT_TOKEN') },
        });
      }
      const forced = await app.inject({
        method: 'POST',
        url: '/actuator/circuitbreakers/a',
        payload: { updateState: 'FORCE_OPEN' },
      });
      expect(forced.statusCode).toBe(403);
      expect((await app.inject('/actuator/health')).json()).toEqual({
        status: 'OUT_OF_SERVICE',
        groups: ['liveness', 'readiness'],
      });
    },
  );

  test.each(['127.0.0.1', '0.0.0.0'])(
    'that is bound to %s and has a token takes that, and no other',
    async host => {
      const app = start({ host, token });
      for (const url of open) expect((await app.inject(url)).statusCode).not.toBe(401);
      for (const authorization of ['', 'Bearer another token', `Basic ${token}`])
        for (const url of closed)
          expect((await app.inject({ url, headers: { authorization } })).statusCode).toBe(401);
      const authorization = `Bearer ${token}`;
      for (const url of closed)
        expect((await app.inject({ url, headers: { authorization } })).statusCode).toBe(200);
      expect(
        (await app.inject({ url: '/actuator/health', headers: { authorization } })).json(),
      ).toHaveProperty('components');
    },
  );
});
