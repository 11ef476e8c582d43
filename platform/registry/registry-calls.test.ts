import { getEventListeners } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { RegistryCalls } from './registry-calls.ts';

const get = { method: 'GET', path: '/apps' } as const;

async function listen(server: Server | ReturnType<typeof createTcpServer>): Promise<string> {
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return `http://127.0.0.1:${(server.address() as { port: number }).port}/eureka`;
}

async function startRegistry(answer: RequestListener): Promise<{ url: string; requests: string[] }> {
  const requests: string[] = [];
  const url = await listen(
    createServer((request, response) => {
      requests.push(`${request.headers.authorization ?? 'nobody'} ${request.url}`);
      answer(request, response);
    }),
  );
  return { url, requests };
}

/** Takes connections and never answers. */
async function startBlackHole(): Promise<string> {
  return listen(createTcpServer(socket => onTestFinished(() => void socket.destroy())));
}

const good: RequestListener = (_request, response) => response.end('good');
const broken: RequestListener = (_request, response) => response.writeHead(503).end();

describe('A client of several registries', () => {
  test('stays with the one that answers', async () => {
    const [a, b] = [await startRegistry(good), await startRegistry(good)];
    const calls = new RegistryCalls([a.url, b.url], undefined);
    for (let count = 0; count < 3; count++) await calls.call('fetch', get);
    expect([a.requests.length, b.requests.length]).toEqual([3, 0]);
  });

  test.each([
    ['refuses connections', async () => 'http://127.0.0.1:1/eureka'],
    ['answers that it is broken', async () => (await startRegistry(broken)).url],
    ['never answers', startBlackHole],
  ])('moves on from one that %s, and does not go back', async (_how, startBad) => {
    const bad = await startBad();
    const next = await startRegistry(good);
    const calls = new RegistryCalls([bad, next.url], undefined);
    const answer = await calls.call('fetch', get, { timeoutMs: 100 });
    expect(answer).toMatchObject({ status: 200, text: 'good' });
    await calls.call('fetch', get, { timeoutMs: 100 });
    expect(next.requests).toHaveLength(2);
  });

  test('says of each registry why it could not be used', async () => {
    const { url } = await startRegistry(broken);
    const calls = new RegistryCalls([url, 'http://127.0.0.1:1/eureka'], undefined);
    await expect(calls.call('register', get)).rejects.toThrow(
      `register reached no registry (${url}: answered 503; http://127.0.0.1:1/eureka: connect ECONNREFUSED 127.0.0.1:1)`,
    );
  });

  test('passes on an answer that is no fault of the registry', async () => {
    const { url } = await startRegistry((_request, response) => response.writeHead(404).end());
    expect(await new RegistryCalls([url], undefined).call('renew', get)).toMatchObject({
      status: 404,
      text: '',
    });
  });

  test('shows each registry the credentials of its address, or else the token', async () => {
    const { url, requests } = await startRegistry(good);
    const withPassword = url.replace('http://', 'http://eureka:pass%40word@');
    await new RegistryCalls([withPassword], 'token').call('fetch', get);
    await new RegistryCalls([url], 'token').call('fetch', get);
    await new RegistryCalls([url], undefined).call('fetch', get);
    expect(requests).toEqual([
      `Basic ${Buffer.from('eureka:pass@word').toString('base64')} /eureka/apps`,
      'Bearer token /eureka/apps',
      'nobody /eureka/apps',
    ]);
  });

  test('stops when its caller gives up, and leaves nothing on the caller’s signal', async () => {
    const stop = new AbortController();
    const calls = new RegistryCalls([await startBlackHole()], undefined);
    const call = calls.call('fetch', get, { signal: stop.signal });
    stop.abort(new Error('enough'));
    await expect(call).rejects.toThrow('enough');
  });
});

describe('A stream of events', () => {
  test('is undefined where a registry has none, as other kinds of registry have not', async () => {
    for (const status of [404, 400, 200]) {
      const { url } = await startRegistry((_request, response) => response.writeHead(status).end('<html>'));
      const calls = new RegistryCalls([url], undefined);
      expect(await calls.openStream('/changes', undefined, new AbortController().signal)).toBeUndefined();
    }
  });

  test('is opened at the next registry when one cannot be reached', async () => {
    const next = await startRegistry((_request, response) =>
      response.writeHead(200, { 'content-type': 'text/event-stream' }).end(': hello\n\n'),
    );
    const calls = new RegistryCalls(['http://127.0.0.1:1/eureka', next.url], undefined);
    const { signal } = new AbortController();
    const stream = await calls.openStream('/changes', 'a-1', signal);
    expect(await stream?.body.text()).toBe(': hello\n\n');
  });

  test('is opened nowhere when no registry can be reached, and says why', async () => {
    const { url } = await startRegistry(broken);
    const calls = new RegistryCalls(['http://127.0.0.1:1/eureka', url], undefined);
    await expect(calls.openStream('/changes', undefined, new AbortController().signal)).rejects.toThrow(
      `follow reached no registry (http://127.0.0.1:1/eureka: connect ECONNREFUSED 127.0.0.1:1; ${url}: answered 503)`,
    );
  });

  test('is no longer waited for when its caller gives up while a refusal has no end', async () => {
    const { url } = await startRegistry((_request, response) => {
      response.writeHead(404).write('not');
    });
    const stop = new AbortController();
    const opened = new RegistryCalls([url], undefined).openStream('/changes', undefined, stop.signal);
    setTimeout(() => stop.abort(new Error('enough')), 50);
    await expect(opened).rejects.toThrow('enough');
  });

  test('ends when its caller ends it', async () => {
    const { url } = await startRegistry((_request, response) =>
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write(': hello\n\n'),
    );
    const stop = new AbortController();
    const stream = await new RegistryCalls([url], undefined).openStream('/changes', undefined, stop.signal);
    const text = stream?.body.text();
    stop.abort(new Error('enough'));
    await expect(text).rejects.toThrow('enough');
    expect(getEventListeners(stop.signal, 'abort')).toEqual([]);
  });
});
