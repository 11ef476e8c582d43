import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Logger } from '../log.ts';
import { createEurekaClient } from './eureka-client.ts';
import { createRepeatedWarning } from './repeated-warning.ts';

interface Answer {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: string;
}

async function clientOf({ status, headers, body }: Answer) {
  const server = createServer((_request, response) => response.writeHead(status, headers).end(body));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => void server.close());
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}/eureka`;
  return { base, client: createEurekaClient({ urls: [base] }) };
}

const page = `<!DOCTYPE html>\n<html><body>${'<p>not a registry</p>\n'.repeat(100)}</body></html>`;
const html = { 'content-type': 'text/html; charset=utf-8' };
const plain = { 'content-type': 'text/plain' };

describe('a server that is no registry', () => {
  test.each<[string, Answer, string]>([
    ['a page', { status: 200, headers: html, body: page }, '200 (text/html; charset=utf-8)'],
    ['a page with 404', { status: 404, headers: html, body: page }, '404 (text/html; charset=utf-8)'],
    [
      'a redirect',
      { status: 302, headers: { location: 'http://login.example/' }, body: '' },
      '302 (no content type; a redirect to http://login.example/)',
    ],
    ['a refusal', { status: 401, headers: plain, body: 'who are\nyou?' }, '401 (text/plain; who are you?)'],
  ])('is told of in one line: %s', async (_what, answer, expected) => {
    const { base, client } = await clientOf(answer);
    const advice = 'Check EUREKA_URL, which ends in /eureka or /eureka/v2';
    await expect(client.register('orders', {})).rejects.toThrow(
      `register: ${base}/apps/ORDERS answered ${expected}, not as a Eureka registry does. ${advice}`,
    );
    await expect(client.fetchAll()).rejects.toThrow(
      `fetch: ${base}/apps answered ${expected}, not as a Eureka registry does. ${advice}`,
    );
  });

  test('that answers a fetch with no JSON is told of without the text', async () => {
    const { client } = await clientOf({ status: 200, headers: {}, body: 'x'.repeat(1_000) });
    await expect(client.fetchAll()).rejects.toThrow(/answered 200 \(no content type\), not as/);
  });
});

test('a warning is logged when it begins and when it changes, and so is its end', () => {
  const lines: string[] = [];
  const note = (level: string) => (_fields: unknown, message?: string) =>
    void lines.push(`${level} ${message ?? String(_fields)}`);
  const log = { warn: note('warn'), debug: note('debug'), info: note('info') } as unknown as Logger;
  const warning = createRepeatedWarning(log);
  warning.over('well');
  for (const message of ['refused', 'refused', 'a page', 'a page']) warning.warn({}, message);
  warning.over('well');
  warning.over('well');
  warning.warn({}, 'a page');
  expect(lines).toEqual([
    'warn refused',
    'debug refused',
    'warn a page',
    'debug a page',
    'info well',
    'warn a page',
  ]);
});
