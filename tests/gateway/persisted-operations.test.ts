import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { get as httpGet } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from 'graphql-ws';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { useFront } from '../helpers/front.ts';

const folder = await mkdtemp(join(tmpdir(), 'portico-manifest-'));
afterAll(() => rm(folder, { recursive: true }));
const hashOf = (text: string) => createHash('sha256').update(text).digest('hex');
const registered = 'query Name { name }';
const id = hashOf(registered);

async function manifest(name: string, content: object): Promise<string> {
  await writeFile(join(folder, name), JSON.stringify(content));
  return join(folder, name);
}
const apolloFile = await manifest('apollo.json', {
  format: 'apollo-persisted-query-manifest',
  version: 1,
  operations: [{ id, name: 'Name', type: 'query', body: registered }],
});
const relayFile = await manifest('relay.json', { [id]: registered });

function useGraph(env: Record<string, string>) {
  const front = useFront({ env });
  beforeAll(async () => {
    const subgraph = await front.serve({
      name: 'people',
      typeDefs: 'type Query { name: String age: Int }',
      resolvers: { Query: { name: () => 'Ada', age: () => 36 } },
    });
    await subgraph.register();
    await vi.waitFor(async () => expect((await front.supergraph()).subgraphs.length).toBe(1), {
      timeout: 10_000,
      interval: 50,
    });
  });
  return {
    front,
    async post(body: object) {
      const response = await fetch(front.graphUrl, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
      return { status: response.status, body: await response.json() };
    },
    async get(search: Record<string, string>) {
      const response = await fetch(`${front.graphUrl}?${new URLSearchParams(search).toString()}`, {
        headers: { 'content-type': 'application/json' },
      });
      return { status: response.status, body: await response.json() };
    },
  };
}

const byHash = { extensions: { persistedQuery: { version: 1, sha256Hash: id } } };
const ada = { status: 200, body: { data: { name: 'Ada' } } };
const refusedAs = (code: string) => ({ status: 400, body: { errors: [{ extensions: { code } }] } });

describe('a gateway that runs only registered operations', () => {
  const { front, post, get } = useGraph({
    PERSISTED_OPERATIONS_FILE: apolloFile,
    PERSISTED_OPERATIONS_MODE: 'enforce',
  });

  test('runs one by its id, over POST and GET, again and again', async () => {
    for (let time = 0; time < 3; time += 1) {
      expect(await post(byHash)).toEqual(ada);
      expect(await post({ documentId: id })).toEqual(ada);
      expect(await get({ extensions: JSON.stringify(byHash.extensions) })).toEqual(ada);
    }
  });

  test('runs one by its text, however it is formatted', async () => {
    expect(await post({ query: registered })).toEqual(ada);
    expect(await post({ query: 'query Name {\n  # hers\n  name\n}' })).toEqual(ada);
    expect(await post({ query: registered, ...byHash })).toEqual(ada);
  });

  test('refuses any other, also with a hash of its own, or with that of a registered one', async () => {
    const other = '{ age }';
    expect(await post({ query: other })).toMatchObject(refusedAs('QUERY_NOT_IN_SAFELIST'));
    expect(await get({ query: other })).toMatchObject(refusedAs('QUERY_NOT_IN_SAFELIST'));
    const hash = { extensions: { persistedQuery: { version: 1, sha256Hash: hashOf(other) } } };
    expect(await post(hash)).toMatchObject(refusedAs('PERSISTED_QUERY_NOT_IN_LIST'));
    expect(await post({ query: other, ...hash })).toMatchObject(refusedAs('QUERY_NOT_IN_SAFELIST'));
    expect(await post({ query: other, ...byHash })).toMatchObject(refusedAs('QUERY_NOT_IN_SAFELIST'));
  });

  test('refuses one that a URL names where only some readers look', async () => {
    const { hostname, port } = new URL(front.graphUrl);
    const [other, name] = ['{ age }', registered].map(encodeURIComponent);
    const statusOf = (path: string) =>
      new Promise((resolve, reject) => {
        const headers = { 'content-type': 'application/json' };
        httpGet({ hostname, port, path, headers }, answer => resolve(answer.resume().statusCode)).on(
          'error',
          reject,
        );
      });
    expect(await statusOf(`/graphql?query=${name}`)).toBe(200);
    for (const path of [
      `/graphql?query=${other}#&query=${name}`,
      `/graphql?query=${name}#&query=${other}`,
      `/graphql?query=${name}&query=${other}`,
      `/graphql?query=${other}&query=${name}`,
    ])
      expect(await statusOf(path)).toBe(400);
  });

  test('refuses over a WebSocket too', async () => {
    const client = createClient({ url: front.graphUrl.replace('http', 'ws'), webSocketImpl: WebSocket });
    onTestFinished(() => client.dispose());
    expect((await client.iterate({ query: registered }).next()).value).toEqual({ data: { name: 'Ada' } });
    await expect(client.iterate({ query: '{ age }' }).next()).rejects.toMatchObject([
      { extensions: { code: 'QUERY_NOT_IN_SAFELIST' } },
    ]);
  });
});

describe('a gateway that only logs operations that are not registered', () => {
  const { front, post } = useGraph({
    PERSISTED_OPERATIONS_FILE: relayFile,
    PERSISTED_OPERATIONS_MODE: 'log',
    LOG_LEVEL: 'warn',
  });

  test('runs all, takes ids of a Relay manifest, and logs each other text once', async () => {
    expect(await post({ doc_id: id })).toEqual(ada);
    for (let time = 0; time < 2; time += 1)
      expect(await post({ query: '{ age }' })).toEqual({ status: 200, body: { data: { age: 36 } } });
    expect(front.log('gateway').match(/An operation is not registered/g)).toHaveLength(1);
  });
});
