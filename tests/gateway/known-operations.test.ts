import { createHash } from 'node:crypto';
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { useFront } from '../helpers/front.ts';
import { metricOf } from '../helpers/metrics.ts';
import type { TestSubgraph } from '../helpers/subgraph.ts';

const federation = 'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key"])';
const pens = [
  { id: '1', name: 'Say "ink"\n→ 東京 👩‍🚀', size: 'SMALL' },
  { id: '2', name: null, size: 'LARGE' },
];

/** Holds answers back until it is opened. */
let gate: { readonly pass: Promise<void>; open(): void } = { pass: Promise.resolve(), open() {} };
function closeGate(): void {
  let open = () => {};
  const pass = new Promise<void>(resolve => {
    open = resolve;
  });
  gate = { pass, open };
}

interface Asked {
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

function useShop(env: Record<string, string> = {}) {
  const front = useFront({ env });
  const served = {} as { pens: TestSubgraph; prices: TestSubgraph; private: TestSubgraph };
  beforeAll(async () => {
    served.pens = await front.serve({
      name: 'pens',
      typeDefs: `${federation}
        enum Size { SMALL LARGE }
        type Query { pens: [Pen!] pen(id: ID!): Pen held: String whoAsks: String broken: String never: String! }
        type Mutation { draw: Int sharpen: Int }
        type Pen @key(fields: "id") { id: ID! name: String size: Size }`,
      resolvers: {
        Query: {
          pens: () => pens,
          pen: (_: unknown, { id }: { id: string }) => pens.find(pen => pen.id === id),
          held: () => gate.pass.then(() => 'held'),
          whoAsks: (_: unknown, _args: unknown, headers: Record<string, string>) =>
            gate.pass.then(() => `${headers['x-portico-caller'] ?? 'nobody'} ${headers['accept-language']}`),
          broken: () => {
            throw new Error('The pen is "broken"');
          },
          never: () => null,
        },
        Mutation: { draw: () => gate.pass.then(() => 1), sharpen: () => 2 },
      },
    });
    served.prices = await front.serve({
      name: 'prices',
      typeDefs: `${federation} type Pen @key(fields: "id") { id: ID! price: Float }`,
      resolvers: { Pen: { __resolveReference: ({ id }: { id: string }) => ({ id, price: Number(id) / 2 }) } },
    });
    served.private = await front.serve({
      name: 'private',
      typeDefs: `${federation} type Query { cookie: String }`,
      resolvers: { Query: { cookie: () => gate.pass.then(() => 'yours') } },
      headers: { 'set-cookie': 'session=1', 'cache-control': 'private, max-age=60' },
    });
    for (const subgraph of Object.values(served)) await subgraph.register();
    await vi.waitFor(
      async () => expect((await front.supergraph()).subgraphs.length).toBe(Object.keys(served).length),
      { timeout: 10_000, interval: 50 },
    );
  });

  async function send(url: string, request: RequestInit) {
    const response = await fetch(url, request);
    const { date: _, connection: _c, 'keep-alive': _k, ...answered } = Object.fromEntries(response.headers);
    return { status: response.status, headers: answered, body: await response.text() };
  }
  const post = (body: string, { headers, signal }: Asked = {}) =>
    send(front.graphUrl, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body,
      ...(signal ? { signal } : {}),
    });
  const get = (search: string, headers: Asked['headers'] = { 'apollo-require-preflight': 'yes' }) =>
    send(`${front.graphUrl}?${search}`, { headers });
  const ask = (query: string, asked?: Asked) => post(JSON.stringify({ query }), asked);
  /** Asks many times while the answer is held back, and lets it go when the subgraph has got so many requests. */
  async function askWhileHeld(
    requests: readonly (readonly [string, Asked?])[],
    subgraph: keyof typeof served,
    expected: number,
  ) {
    // The first request of an operation is not like the others.
    for (const query of new Set(requests.map(([each]) => each))) await ask(query);
    served[subgraph].takeRequests();
    closeGate();
    const answers = requests.map(([query, asked]) => ask(query, asked));
    let asked = 0;
    await expect
      .poll(
        () => {
          asked += served[subgraph].takeRequests().length;
          return asked;
        },
        { timeout: 5_000 },
      )
      .toBe(expected);
    await expect.poll(() => metricOf(front.gateway, 'gateway_requests_under_way')).toBe(requests.length);
    gate.open();
    const bodies = (await Promise.all(answers)).map(({ body }) => body);
    return { bodies, asked: asked + served[subgraph].takeRequests().length };
  }
  const deduplicated = () => metricOf(front.gateway, 'gateway_queries_deduplicated_total');
  return { front, served, post, get, ask, askWhileHeld, deduplicated };
}

afterEach(() => gate.open());

describe('an operation that is known', () => {
  const { post, get } = useShop();

  test.each([
    ['a query', { query: '{ pens { id n: name size price } pen(id: "2") { __typename price } }' }],
    [
      'a query with variables',
      { query: 'query ($id: ID!) { pen(id: $id) { name } }', variables: { id: '1' } },
    ],
    ['variables that are wrong', { query: 'query Wrong($id: ID!) { pen(id: $id) { name } }', variables: {} }],
    ['one of two operations', { query: 'query A { held } query B { pens { id } }', operationName: 'B' }],
    ['an operation that is not there', { query: 'query A { held }', operationName: 'B' }],
    ['a field that fails', { query: '{ broken pens { id } }' }],
    ['a null that nulls everything', { query: '{ never }' }],
    ['a mutation', { query: 'mutation { draw }' }],
    ['the schema', { query: '{ __type(name: "Pen") { name fields { name } } }' }],
    [
      'a condition',
      { query: 'query ($no: Boolean!) { pens { id @skip(if: $no) size } }', variables: { no: true } },
    ],
    [
      'what a client library says of itself',
      { query: '{ held }', extensions: { clientLibrary: { name: 'x' } } },
    ],
    [
      'a persisted query that is not known',
      { extensions: { persistedQuery: { version: 1, sha256Hash: 'a' } } },
    ],
    ['a document that is not valid', { query: '{ pencils }' }],
    ['a document that does not parse', { query: '{ pens ' }],
    ['more than one request', [{ query: '{ pens { id } }' }]],
    ['no query', { variables: {} }],
    ['variables that are no object', { query: '{ pens { id } }', variables: 'x' }],
  ])('is answered as it was the first time: %s', async (_case, body) => {
    for (const accept of ['*/*', 'application/json', 'application/graphql-response+json;q=0.9, text/html']) {
      const asked = { headers: { accept } };
      const first = await post(JSON.stringify(body), asked);
      expect(await post(JSON.stringify(body), asked)).toEqual(first);
      expect(await post(JSON.stringify(body), asked)).toEqual(first);
    }
  });

  test('is answered by the hash of its text as by the text', async () => {
    const query = '{ pens { id size n: name } }';
    const sha256Hash = createHash('sha256').update(query).digest('hex');
    const extensions = { persistedQuery: { version: 1, sha256Hash } };
    const first = await post(JSON.stringify({ query, extensions }));
    expect(first.status).toBe(200);
    for (let times = 0; times < 2; times++) expect(await post(JSON.stringify({ extensions }))).toEqual(first);
    const other = { persistedQuery: { version: 1, sha256Hash: sha256Hash.replace(/./, 'x') } };
    expect((await post(JSON.stringify({ extensions: other }))).body).toContain('PERSISTED_QUERY_NOT_FOUND');
    // A text has to be that of its hash, whether that is known or not.
    const wrong = await post(JSON.stringify({ query: '{ pens { id } }', extensions }));
    expect(wrong.body).toContain('provided sha does not match query');
  });

  const inks = '{ pens { id name size price } }';
  const pen = 'query Pen($id: ID!) { pen(id: $id) { name } }';
  const hash = createHash('sha256').update(inks).digest('hex');
  test.each([
    ['a query', { query: inks }, 200],
    ['a query with variables', { query: pen, variables: '{"id":"1"}', operationName: 'Pen' }, 200],
    ['a hash', { extensions: JSON.stringify({ persistedQuery: { version: 1, sha256Hash: hash } }) }, 200],
    ['variables that are wrong', { query: pen, variables: '{}' }, 200],
    ['variables that are no JSON', { query: inks, variables: '{' }, 400],
    ['a name that is not there', { query: pen, operationName: 'Ink', variables: '{"id":"1"}' }, 400],
    ['a mutation', { query: 'mutation { sharpen }' }, 405],
    ['no query', { variables: '{}' }, 400],
  ])('is answered by GET as it was the first time: %s', async (_case, parameters, status) => {
    // Apollo Server remembers the text of a hash that it has got with it.
    await post(
      JSON.stringify({ query: inks, extensions: { persistedQuery: { version: 1, sha256Hash: hash } } }),
    );
    await post(JSON.stringify({ query: 'mutation { sharpen }' }));
    const search = new URLSearchParams(parameters as Record<string, string>).toString();
    const headers = {
      'apollo-require-preflight': 'yes',
      accept: `text/html, application/json;q=0.${status}`,
    };
    const first = await get(search, headers);
    expect(first.status).toBe(status);
    expect(await get(search, headers)).toEqual(first);
    expect(await get(search, headers)).toEqual(first);
  });

  test('is not run by GET for a page of another site', async () => {
    const search = new URLSearchParams({ query: '{ held pens { id } }' }).toString();
    for (let times = 0; times < 2; times++) expect((await get(search)).status).toBe(200);
    for (const type of [undefined, 'text/plain', 'multipart/form-data'])
      expect((await get(search, type === undefined ? {} : { 'content-type': type })).body).toContain('CSRF');
    expect((await get(search, { 'content-type': 'application/json' })).status).toBe(200);
    // Which of two is meant, nobody can tell.
    expect((await get(`${search}&${search}`)).status).toBe(400);
  });

  test('is not run for a page of another site, which can send text without being asked whether it may', async () => {
    const body = JSON.stringify({ query: '{ held pens { size } }' });
    for (let times = 0; times < 2; times++) expect((await post(body)).status).toBe(200);
    for (const type of ['text/plain', 'text/plain;charset=UTF-8', 'application/x-www-form-urlencoded'])
      expect((await post(body, { headers: { 'content-type': type } })).status).toBe(415);
  });

  test.each([
    ['no JSON', '{"query":', 'application/json', 400],
    ['nothing', '', 'application/json', 400],
    ['a key that is not safe', '{"query":"{ pens { id } }","__proto__":{}}', 'application/json', 400],
    [
      'too much',
      JSON.stringify({ query: `{ pens { id } } #${'x'.repeat(1_100_000)}` }),
      'application/json',
      413,
    ],
    ['another type', 'query=1', 'application/xml', 415],
  ])('a body that is %s is refused in the shape of GraphQL', async (_case, body, type, status) => {
    const answer = await post(body, { headers: { 'content-type': type } });
    expect(answer.status).toBe(status);
    expect(JSON.parse(answer.body)).toEqual({
      errors: [{ message: expect.any(String) as string, extensions: { code: 'BAD_USER_INPUT' } }],
    });
  });
});

describe('queries that are under way at the same time', () => {
  const { front, served, get, ask, askWhileHeld, deduplicated } = useShop();

  test('are executed once when they are equal', async () => {
    const before = await deduplicated();
    const { bodies, asked } = await askWhileHeld(
      Array.from({ length: 20 }, () => ['{ held }'] as const),
      'pens',
      1,
    );
    expect(new Set(bodies)).toEqual(new Set(['{"data":{"held":"held"}}\n']));
    expect(asked).toBe(1);
    expect((await deduplicated()) - before).toBe(19);
  });

  test('are executed once by GET too', async () => {
    const search = new URLSearchParams({ query: '{ h: held }' }).toString();
    for (let times = 0; times < 2; times++) await get(search);
    const before = await deduplicated();
    served.pens.takeRequests();
    closeGate();
    const answers = Array.from({ length: 5 }, () => get(search));
    await expect.poll(() => metricOf(front.gateway, 'gateway_requests_under_way')).toBe(5);
    gate.open();
    const bodies = (await Promise.all(answers)).map(({ body }) => body);
    expect(new Set(bodies)).toEqual(new Set(['{"data":{"h":"held"}}\n']));
    expect(served.pens.takeRequests()).toHaveLength(1);
    expect((await deduplicated()) - before).toBe(4);
  });

  test('share nothing with another caller, nor with other headers that go to subgraphs', async () => {
    const tokens = await Promise.all(['ada', 'alan'].map(name => front.keys.mintToken(name)));
    const asked: Asked[] = [
      ...tokens.map(token => ({ headers: { authorization: `Bearer ${token}`, 'accept-language': 'en' } })),
      { headers: { 'accept-language': 'en' } },
      { headers: { 'accept-language': 'nl' } },
    ];
    const twice = [...asked, ...asked].map(each => ['{ whoAsks }', each] as const);
    const { bodies } = await askWhileHeld(twice, 'pens', asked.length);
    const answers = bodies.map(body => (JSON.parse(body) as { data: { whoAsks: string } }).data.whoAsks);
    expect(new Set(answers).size).toBe(asked.length);
    expect(answers.slice(asked.length)).toEqual(answers.slice(0, asked.length));
    const [ada = '', alan = ''] = answers.map(answer => answer.split(' ')[0]?.split('.')[1] ?? '');
    expect(Buffer.from(ada, 'base64url').toString()).toContain('"sub":"ada"');
    expect(Buffer.from(alan, 'base64url').toString()).toContain('"sub":"alan"');
  });

  test('are executed one by one when they change something', async () => {
    const { asked } = await askWhileHeld(
      Array.from({ length: 4 }, () => ['mutation { draw }'] as const),
      'pens',
      4,
    );
    expect(asked).toBe(4);
  });

  test('share the fetches that they have in common when they differ', async () => {
    const joined = () =>
      metricOf(front.gateway, 'gateway_subgraph_fetches_deduplicated_total', { subgraph: 'pens' });
    const before = await joined();
    const { bodies, asked } = await askWhileHeld(
      [['{ held one: __typename }'], ['{ held two: __typename }']],
      'pens',
      1,
    );
    expect(bodies).toEqual(['one', 'two'].map(name => `{"data":{"held":"held","${name}":"Query"}}\n`));
    expect(asked).toBe(1);
    expect((await joined()) - before).toBe(1);
  });

  test.each([
    ['equal', '{ held }', '{ held }'],
    ['different, with a fetch in common', '{ held one: __typename }', '{ held two: __typename }'],
  ])('share nothing when a mutation was done in between: %s', async (_case, first, second) => {
    for (const query of [first, second]) await ask(query);
    served.pens.takeRequests();
    closeGate();
    const before = ask(first);
    await expect.poll(() => served.pens.takeRequests().length).toBe(1);
    expect((await ask('mutation { sharpen }')).body).toBe('{"data":{"sharpen":2}}\n');
    expect(served.pens.takeRequests().length).toBe(1);
    const after = ask(second);
    await expect.poll(() => served.pens.takeRequests().length).toBe(1);
    gate.open();
    for (const answer of await Promise.all([before, after])) expect(answer.body).toContain('"held":"held"');
  });

  test('share no fetch that brings a cookie, nor one of another caller', async () => {
    const queries = ['{ cookie one: __typename }', '{ cookie two: __typename }'];
    const once = await askWhileHeld(
      queries.map(query => [query] as const),
      'private',
      2,
    );
    expect(once.bodies).toEqual(
      ['one', 'two'].map(name => `{"data":{"cookie":"yours","${name}":"Query"}}\n`),
    );
    const tokens = await Promise.all(['ada', 'alan'].map(name => front.keys.mintToken(name)));
    const whoAsk = tokens.map(
      (token, index) =>
        [`{ whoAsks t${index}: __typename }`, { headers: { authorization: `Bearer ${token}` } }] as const,
    );
    const { bodies } = await askWhileHeld(whoAsk, 'pens', 2);
    expect(new Set(bodies.map(body => body.slice(0, body.indexOf(',"t')))).size).toBe(2);
  });

  test('share no answer that brings a cookie', async () => {
    const requests = Array.from({ length: 3 }, () => ['{ cookie }'] as const);
    // That it brings one shows when it comes: then the others ask for their own, and later ones at once.
    for (const expected of [1, 3]) {
      const { bodies, asked } = await askWhileHeld(requests, 'private', expected);
      expect(bodies).toEqual(requests.map(() => '{"data":{"cookie":"yours"}}\n'));
      expect(asked).toBe(3);
    }
  });

  test('go on for those that stay when one client leaves', async () => {
    await ask('{ held pens { id } }');
    served.pens.takeRequests();
    closeGate();
    const [first, second] = [new AbortController(), new AbortController()];
    const leaving = ask('{ held pens { id } }', { signal: first.signal });
    await expect.poll(() => served.pens.takeRequests().length).toBe(1);
    const staying = ask('{ held pens { id } }', { signal: second.signal });
    await expect.poll(() => metricOf(front.gateway, 'gateway_requests_under_way')).toBe(2);
    first.abort();
    await expect(leaving).rejects.toThrow();
    gate.open();
    expect((await staying).status).toBe(200);
    expect(served.pens.takeRequests()).toEqual([]);
  });

  test('share no execution that began on another graph', async () => {
    const joined = () =>
      metricOf(front.gateway, 'gateway_subgraph_fetches_deduplicated_total', { subgraph: 'pens' });
    await ask('{ held }');
    served.pens.takeRequests();
    closeGate();
    const onFirst = ask('{ held }');
    await expect.poll(() => served.pens.takeRequests().length).toBe(1);
    const ink = await front.serve({
      name: 'ink',
      typeDefs: `${federation} type Query { ink: Int }`,
      resolvers: {},
    });
    await ink.register();
    await expect
      .poll(async () => (await ask('{ ink }')).body, { timeout: 5_000 })
      .toBe('{"data":{"ink":null}}\n');
    const before = [await deduplicated(), await joined()] as const;
    const onSecond = ask('{ held }');
    await expect.poll(() => metricOf(front.gateway, 'gateway_requests_under_way')).toBe(2);
    gate.open();
    for (const answer of await Promise.all([onFirst, onSecond]))
      expect(answer.body).toContain('"held":"held"');
    // The subgraph has not changed, so that they have the fetch in common.
    expect([await deduplicated(), await joined()]).toEqual([before[0], before[1] + 1]);
  });
});

describe('queries of subgraphs that are excluded from deduplication', () => {
  const { askWhileHeld, deduplicated } = useShop({ DEDUPLICATION_EXCLUDED_SUBGRAPHS: '*' });

  test('are executed one by one', async () => {
    const { asked } = await askWhileHeld(
      Array.from({ length: 4 }, () => ['{ held }'] as const),
      'pens',
      4,
    );
    expect(asked).toBe(4);
    expect(await deduplicated()).toBe(0);
  });
});
