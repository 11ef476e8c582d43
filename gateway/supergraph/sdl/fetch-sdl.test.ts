import type { RequestListener } from 'node:http';
import { Agent } from 'undici';
import { expect, onTestFinished, test } from 'vitest';
import { describeInstance, serveInstance } from '../../testing/instances.ts';
import { fetchSdl } from './fetch-sdl.ts';

async function read(listener: RequestListener, metadata: Record<string, string> = {}) {
  const agent = new Agent();
  onTestFinished(() => agent.close());
  const port = await serveInstance(listener);
  return fetchSdl(describeInstance({ port, metadata }), { agent, signal: new AbortController().signal });
}

const where = /^The SDL of stock could not be read at http:\/\/127\.0\.0\.1:\d+\/graphql: /;

test.each<[string, RequestListener, string]>([
  [
    'a page',
    (_request, response) =>
      void response.writeHead(404, { 'content-type': 'text/html' }).end('<h1>secret</h1>'),
    "it answered with status 404 and text/html, and no SDL. Register the path that GraphQL is served at as 'graphql.path', which is /graphql now",
  ],
  [
    'nothing',
    (_request, response) => void response.writeHead(200).end(),
    "it answered with status 200 and no content type, and no SDL. Register the path that GraphQL is served at as 'graphql.path', which is /graphql now",
  ],
  [
    'a redirect to elsewhere',
    (_request, response) => void response.writeHead(307, { location: 'http://10.1.2.3/graphql/' }).end(),
    "it redirects to http://10.1.2.3/graphql/ (status 307). Register the path that GraphQL is served at as 'graphql.path', which is /graphql now",
  ],
  [
    'redirects without an end',
    ({ url }, response) => void response.writeHead(307, { location: `${url}/` }).end(),
    "it redirects to /graphql//// (status 307). Register the path that GraphQL is served at as 'graphql.path', which is /graphql now",
  ],
  [
    'a refusal',
    (_request, response) => void response.writeHead(401).end('who are you'),
    'it wants to know who asks (status 401). The gateway asks for the SDL as nobody: allow { _service { sdl } }',
  ],
  [
    'errors of GraphQL',
    (_request, response) =>
      void response
        .writeHead(400, { 'content-type': 'application/json' })
        .end('{"errors":[{"message":"Cannot query field \\"_service\\" on type \\"Query\\"."}]}'),
    'it answered with errors and status 400 and application/json: Cannot query field "_service" on type "Query". Is it an Apollo Federation subgraph, which answers { _service { sdl } }?',
  ],
])(
  'an instance that answers with %s is told of by what came, and what to try',
  async (_case, listener, said) => {
    const error = await read(listener).catch((fault: Error) => fault);
    expect(error).toBeInstanceOf(Error);
    const { message } = error as Error;
    expect(message).toMatch(where);
    expect(message.replace(where, '')).toBe(said);
  },
);

test('a redirect to the same host and port, as Starlette answers, is followed', async () => {
  const listener: RequestListener = ({ url, method }, response) =>
    url === '/graphql'
      ? void response.writeHead(307, { location: '/graphql/' }).end()
      : void response.end(JSON.stringify({ data: { _service: { sdl: `# ${method} ${url}` } } }));
  expect((await read(listener)).sdl).toBe('# POST /graphql/');
});

test('an instance that serves GraphQL elsewhere is read there', async () => {
  const listener: RequestListener = ({ url }, response) =>
    void response.end(JSON.stringify({ data: { _service: { sdl: `type Query { at: String } # ${url}` } } }));
  expect((await read(listener, { 'graphql.path': '/api/graphql' })).sdl).toContain('/api/graphql');
});
