import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { rootDir } from '../../dev/settings.ts';
import { useFront } from '../helpers/front.ts';
import { speak } from '../helpers/raw-client.ts';
import { findSources } from '../walls/walls.ts';

const front = useFront();
const portOf = (url: string) => Number(new URL(url).port);
const ports: Readonly<Record<string, () => number>> = {
  gateway: () => portOf(front.graphUrl),
  'management of the gateway': () => front.gateway.ready.ports?.['management'] ?? 0,
  registry: () => portOf(front.registryUrl),
  'management of the registry': () => front.discovery.ready.ports?.['management'] ?? 0,
};

/** What every process has for who runs it. */
const actuator = [
  '/actuator',
  '/actuator/health',
  '/actuator/health/liveness',
  '/actuator/health/readiness',
  '/actuator/info',
  '/actuator/prometheus',
];

/** What each listener serves, and something that it does not. */
const paths: Readonly<Record<string, readonly string[]>> = {
  gateway: [
    '/',
    '/ide',
    '/ide/',
    '/ide/page.js',
    '/ide/page.css',
    '/ide/none',
    '/graphql',
    '/none',
    '//none',
  ],
  'management of the gateway': [
    ...actuator,
    '/actuator/supergraph',
    '/actuator/supergraph/sdl',
    '/actuator/supergraph/history',
    '/actuator/circuitbreakers',
    '/none',
  ],
  registry: [
    '/',
    '/dashboard/main.js',
    '/dashboard/base.css',
    '/dashboard/registry.json',
    '/dashboard/graph.json',
    '/eureka/apps',
    '/eureka/v2/apps',
    '/eureka/apps/delta',
    '/eureka/apps/GATEWAY',
    '/eureka/apps/NONE',
    '/prometheus/http_sd',
    '/none',
  ],
  'management of the registry': [...actuator, '/none'],
};
const all = Object.entries(paths).flatMap(([listener, each]) => each.map(path => [listener, path] as const));
const pages = ['gateway /', 'gateway /ide/', 'registry /'];

async function ask(listener: string, path: string, headers: Record<string, string> = {}) {
  const lines = Object.entries({ host: 'localhost', accept: '*/*', connection: 'close', ...headers });
  const text = `GET ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`;
  const answer = await speak({ port: ports[listener]?.() ?? 0, text, withinMs: 10_000 });
  const [head = '', body = ''] = answer.text.split(/\r\n\r\n([\s\S]*)/);
  const found = new Map(
    head
      .split('\r\n')
      .slice(1)
      .map(line => [line.split(':', 1)[0]?.toLowerCase(), line.replace(/^[^:]*: /, '')]),
  );
  return {
    status: answer.statuses[0],
    header: (name: string) => found.get(name) ?? '',
    body,
    text: answer.text,
  };
}

describe('the pages', () => {
  test.each(all)('of the %s: what is at %s says how it may be used if it is one', async (listener, path) => {
    const { status, header } = await ask(listener, path, { accept: 'text/html' });
    expect([200, 302, 400, 403, 404, 503]).toContain(status);
    const isPage = header('content-type').startsWith('text/html');
    expect(isPage).toBe(pages.includes(`${listener} ${path}`));
    if (!isPage) return;
    expect(header('content-security-policy')).toContain("frame-ancestors 'none'");
    expect(header('content-security-policy')).toContain("base-uri 'none'");
    expect(header('x-content-type-options')).toBe('nosniff');
    expect(header('x-frame-options')).toBe('DENY');
    expect(header('referrer-policy')).toBe('no-referrer');
  });

  test('are made in these places, and in no others', async () => {
    const sources = (await findSources(rootDir)).filter(
      file => /^(gateway|discovery|platform)\//.test(file) && !file.includes('.test.'),
    );
    const makers = sources.filter(file =>
      /type.*'text\/html/.test(readFileSync(join(rootDir, file), 'utf8')),
    );
    expect(makers.sort()).toEqual(['discovery/http/dashboard-routes.ts', 'gateway/explorers/explorers.ts']);
  });

  test.each(all)(
    'of the %s: nothing at %s is built from the host that is asked for',
    async (listener, path) => {
      const spoofed = {
        host: 'host.spoofed.example',
        'x-forwarded-host': 'forwarded.spoofed.example',
        'x-forwarded-proto': 'spoofed',
        'x-original-host': 'original.spoofed.example',
        forwarded: 'host=forwarded.spoofed.example;proto=spoofed',
      };
      const { text } = await ask(listener, path, spoofed);
      expect(text).toMatch(/^HTTP\/1\.1 \d{3}/);
      expect(text).not.toContain('spoofed');
    },
  );

  test.each(['gateway', 'registry'])('of the management of the %s are all looked at here', async name => {
    const { body } = await ask(`management of the ${name}`, '/actuator');
    const { _links: links } = JSON.parse(body) as { _links: Record<string, { href: string }> };
    const served = Object.values(links).map(({ href }) => href);
    expect(paths[`management of the ${name}`]).toEqual(expect.arrayContaining(served));
  });

  test('of the offline IDE is found without a host', async () => {
    const { status, header } = await ask('gateway', '/ide', { host: 'host.example' });
    expect([status, header('location')]).toEqual([302, '/ide/']);
  });
});
