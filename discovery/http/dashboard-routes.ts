import { readFileSync } from 'node:fs';
import type { FastifyInstance } from 'fastify';
import type { Observed } from '../observe.ts';
import { createGraphProxy } from './graph-proxy.ts';
import { describeRegistry, keepLastChanges } from './overview.ts';

const files = [
  { path: '/', file: 'index.html', type: 'text/html; charset=utf-8' },
  ...['base.css', 'parts.css'].map(file => ({
    path: `/dashboard/${file}`,
    file,
    type: 'text/css; charset=utf-8',
  })),
  ...['main.js', 'render.js', 'graph.js', 'dom.js'].map(file => ({
    path: `/dashboard/${file}`,
    file,
    type: 'text/javascript; charset=utf-8',
  })),
];

/** The page runs its own scripts and nothing else, talks to its own registry and nobody else, and is framed by nobody. */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** Adds the dashboard: its files, and what they show. */
export function addDashboardRoutes(
  app: FastifyInstance,
  observed: Observed,
  gateway: { readonly app: string; readonly token: string | undefined },
): void {
  for (const { path, file, type } of files) {
    const content = readFileSync(new URL(`../dashboard/${file}`, import.meta.url));
    app.get(path, (_request, reply) =>
      reply
        .headers({
          'content-security-policy': contentSecurityPolicy,
          'x-content-type-options': 'nosniff',
          'x-frame-options': 'DENY',
          'referrer-policy': 'no-referrer',
          'cache-control': 'no-cache',
        })
        .type(type)
        .send(content),
    );
  }
  const lastChanges = keepLastChanges(observed.registry);
  const graph = createGraphProxy({
    leases: observed.registry.leases,
    gatewayApp: gateway.app,
    token: gateway.token,
  });
  app.get('/dashboard/registry.json', () => describeRegistry(observed, lastChanges()));
  app.get('/dashboard/graph.json', () => graph());
}
