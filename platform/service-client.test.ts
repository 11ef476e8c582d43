import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Registry } from 'prom-client';
import { Agent } from 'undici';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { createCallerTokens } from './caller.ts';
import { PorticoError } from './errors.ts';
import type { ServiceInstance } from './registry/instance.ts';
import { BreakerRegistry } from './resilience/breaker-registry.ts';
import { createServiceClient, isServiceFailure } from './service-client.ts';
import { runInTrace } from './trace-context.ts';

const callers = createCallerTokens('a secret of at least thirty-two characters');

/** An instance that answers each request as it is told. */
async function serve(id: string, answer: (response: ServerResponse) => unknown) {
  let requests = 0;
  const server = createServer((request, response) => {
    requests += 1;
    request.resume().on('end', () => answer(response));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const instance: ServiceInstance = {
    id,
    app: 'INVENTORY',
    host: '127.0.0.1',
    port,
    secure: false,
    status: 'UP',
    metadata: {},
    lastDirtyTimestampMs: 0,
  };
  return {
    instance,
    get requests() {
      return requests;
    },
  };
}

function clientOf(...instances: ServiceInstance[]) {
  return clientIn(undefined, ...instances);
}

function clientIn(zone: string | undefined, ...instances: ServiceInstance[]) {
  const breakers = new BreakerRegistry(new Registry());
  const breaker = breakers.create('inventory', {
    settings: { timeoutMs: 10_000, minimumCalls: 4 },
    isFailure: isServiceFailure,
  });
  const agent = new Agent({ connect: { timeout: 500 } });
  onTestFinished(() => agent.destroy());
  const client = createServiceClient({
    service: 'inventory',
    self: 'orders',
    zone,
    registry: {
      instances,
      loaded: true,
      source: 'stream',
      up: () => instances,
      onChange: () => () => {},
      onRemoval: () => () => {},
      close: async () => {},
    },
    breaker,
    callers,
    agent,
  });
  return { client, breaker };
}

const answerWith = (body: object) => (response: ServerResponse) =>
  void response.setHeader('content-type', 'application/json').end(JSON.stringify(body));
const fine = answerWith({ data: { fine: true } });
const errorWith = (code: string) => answerWith({ errors: [{ message: 'no', extensions: { code } }] });
const run = (client: ReturnType<typeof clientOf>['client']) => client.run('{ fine }', {});

describe('the client of a service', () => {
  test('shares calls out among the instances', async () => {
    const [one, other] = [await serve('one', fine), await serve('other', fine)];
    const { client } = clientOf(one.instance, other.instance);
    for (let count = 0; count < 6; count += 1) expect(await run(client)).toEqual({ fine: true });
    expect([one.requests, other.requests]).toEqual([3, 3]);
  });

  test('calls an instance of its own zone when no other has fewer calls to answer', async () => {
    const [near, far] = [await serve('near', fine), await serve('far', fine)];
    const northern = { ...near.instance, metadata: { zone: 'north' } };
    const { client } = clientIn('north', far.instance, northern);
    for (let count = 0; count < 4; count += 1) expect(await run(client)).toEqual({ fine: true });
    expect([near.requests, far.requests]).toEqual([4, 0]);
    await Promise.all([run(client), run(client)]);
    expect([near.requests, far.requests]).toEqual([5, 1]);
  });

  test('sends no more to an instance that stalls while another one answers', async () => {
    const held: ServerResponse[] = [];
    const [stalled, other] = [
      await serve('stalled', response => held.push(response)),
      await serve('other', fine),
    ];
    const { client } = clientOf(stalled.instance, other.instance);
    // At the latest the second call meets the instance that does not answer, and waits there.
    const waiting = [run(client), run(client)];
    await vi.waitUntil(() => stalled.requests + other.requests === 2);
    for (let count = 0; count < 10; count += 1) expect(await run(client)).toEqual({ fine: true });
    expect([stalled.requests, other.requests]).toEqual([1, 11]);
    held.forEach(fine);
    expect(await Promise.all(waiting)).toEqual([{ fine: true }, { fine: true }]);
  });

  test('avoids an instance for a while that did not answer', async () => {
    const [failing, other] = [
      await serve('failing', response => response.destroy()),
      await serve('other', fine),
    ];
    const { client } = clientOf(failing.instance, other.instance);
    const answers = [];
    for (let count = 0; count < 12; count += 1) answers.push(await run(client).catch(() => 'failed'));
    expect(failing.requests).toBe(1);
    expect(answers.filter(answer => answer === 'failed')).toHaveLength(1);
  });

  test('calls an instance that did not answer when there is no other', async () => {
    const failing = await serve('failing', response => response.destroy());
    const { client } = clientOf(failing.instance);
    for (let count = 0; count < 3; count += 1)
      await expect(run(client)).rejects.toThrow('could not be reached');
    expect(failing.requests).toBe(3);
  });

  test('tries the next instance when one can not be connected to', async () => {
    const [gone, other] = [await serve('gone', fine), await serve('other', fine)];
    const { client } = clientOf({ ...gone.instance, port: 1 }, other.instance);
    for (let count = 0; count < 4; count += 1) expect(await run(client)).toEqual({ fine: true });
    expect(other.requests).toBe(4);
  });

  test.each(['BAD_USER_INPUT', 'CONFLICT', 'FORBIDDEN', 'INSUFFICIENT_FUNDS', 'toString'])(
    'passes the refusal %s on, and the breaker does not count it',
    async code => {
      const { client, breaker } = clientOf((await serve('one', errorWith(code))).instance);
      for (let count = 0; count < 6; count += 1) await expect(run(client)).rejects.toMatchObject({ code });
      expect(breaker.state).toBe('CLOSED');
      expect(breaker.stats).toMatchObject({ calls: 6, failures: 0 });
    },
  );

  test.each(['INTERNAL_SERVER_ERROR', 'SERVICE_UNAVAILABLE', ''])(
    'counts an answer with the error %s as a failure, which opens the breaker',
    async code => {
      const { client, breaker } = clientOf((await serve('one', errorWith(code))).instance);
      for (let count = 0; count < 4; count += 1)
        await expect(run(client)).rejects.toBeInstanceOf(PorticoError);
      expect(breaker.state).toBe('OPEN');
    },
  );

  test.each([
    ['a page', 502, '<html>'],
    ["a framework's word for its own fault", 500, '{"status":500,"error":"Internal Server Error"}'],
    ['nothing that is GraphQL', 200, '{"status":"fine"}'],
    ['no errors', 200, '{"data":null,"errors":[]}'],
    ['the errors of a proxy', 503, '{"errors":[{"message":"no","extensions":{"code":"FORBIDDEN"}}]}'],
  ])('counts an answer with %s as a failure', async (_name, status, body) => {
    const { client, breaker } = clientOf(
      (await serve('one', response => response.writeHead(status).end(body))).instance,
    );
    for (let count = 0; count < 4; count += 1)
      await expect(run(client)).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
    expect(breaker.state).toBe('OPEN');
  });

  test('takes data for what it is, whatever the status', async () => {
    const one = await serve('one', response => fine(Object.assign(response, { statusCode: 500 })));
    expect(await run(clientOf(one.instance).client)).toEqual({ fine: true });
  });

  test('passes the trace on that each call is made in', async () => {
    const got: IncomingHttpHeaders[] = [];
    const one = await serve('one', response => {
      got.push(response.req.headers);
      fine(response);
    });
    const { client } = clientOf(one.instance);
    const traces = ['a', 'b'].map(digit => ({
      traceparent: `00-${digit.repeat(32)}-b7ad6b7169203331-01`,
      tracestate: `vendor=${digit}`,
    }));
    for (const trace of traces) await runInTrace(trace, () => run(client));
    await run(client);
    expect(got.map(({ traceparent, tracestate }) => ({ traceparent, tracestate }))).toEqual([
      ...traces,
      { traceparent: undefined, tracestate: undefined },
    ]);
  });
});
