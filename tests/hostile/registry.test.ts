import { gzipSync } from 'node:zlib';
import { beforeAll, describe, expect, test } from 'vitest';
import { useFront } from '../helpers/front.ts';
import { ask } from './exchange.ts';

const front = useFront();
beforeAll(async () => {
  const subgraph = await front.serve({
    name: 'people',
    typeDefs: 'type Query { name: String }',
    resolvers: { Query: { name: () => 'Ada' } },
  });
  await subgraph.register();
});

const json = { 'content-type': 'application/json' };
const xml = { 'content-type': 'application/xml' };
const deep = (levels: number) => `${'['.repeat(levels)}${']'.repeat(levels)}`;
const instance = (more: string) =>
  `{"instance":{"instanceId":"h","hostName":"10.0.0.5","ipAddr":"10.0.0.5","app":"HOSTILE","dataCenterInfo":{"name":"MyOwn"},${more}}}`;

/** Requests below `/eureka`, and the statuses that may answer them. */
const requests: [
  string,
  string,
  string,
  (string | Buffer | undefined)?,
  Record<string, string>?,
  number[]?,
][] = [
  ['no body', 'POST', '/apps/HOSTILE', '', json],
  ['null', 'POST', '/apps/HOSTILE', 'null', json],
  ['a list', 'POST', '/apps/HOSTILE', '[]', json],
  ['an instance that is a list', 'POST', '/apps/HOSTILE', '{"instance":[1]}', json],
  ['JSON as deep as it is long', 'POST', '/apps/HOSTILE', deep(30_000), json],
  [
    'metadata as deep as it is long',
    'POST',
    '/apps/HOSTILE',
    instance(`"metadata":{"a":${deep(30_000)}}`),
    json,
  ],
  ['metadata of the prototype', 'POST', '/apps/HOSTILE', instance('"metadata":{"__proto__":"x"}'), json],
  ['a port without an end', 'POST', '/apps/HOSTILE', instance(`"port":{"$":${'9'.repeat(10_000)}}`), json],
  ['a lease without an end', 'POST', '/apps/HOSTILE', instance('"leaseInfo":{"durationInSecs":1e999}'), json],
  ['half a character', 'POST', '/apps/HOSTILE', instance('"vipAddress":"\\ud800"'), json],
  ['a status that all objects have', 'POST', '/apps/HOSTILE', instance('"status":"constructor"'), json],
  ['an application that all objects have', 'POST', '/apps/__proto__', instance('"status":"UP"'), json],
  ['XML as deep as it is long', 'POST', '/apps/HOSTILE', '<a>'.repeat(20_000), xml],
  ['XML with entities', 'POST', '/apps/HOSTILE', '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', xml],
  [
    'XML with entities of entities',
    'POST',
    '/apps/HOSTILE',
    '<!DOCTYPE a [<!ENTITY b "&c;&c;"><!ENTITY c "&b;&b;">]><a>&b;</a>',
    xml,
  ],
  [
    'XML that reads a file',
    'POST',
    '/apps/HOSTILE',
    '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><instance>&b;</instance>',
    xml,
  ],
  ['XML without an end', 'POST', '/apps/HOSTILE', `<instance><a b="${'x'.repeat(50_000)}`, xml],
  [
    'XML with many attributes',
    'POST',
    '/apps/HOSTILE',
    `<instance ${Array.from({ length: 5_000 }, (_, index) => `a${index}="1"`).join(' ')}/>`,
    xml,
  ],
  ['XML of half a character', 'POST', '/apps/HOSTILE', '<instance>&#xD800;</instance>', xml],
  [
    'a thousand times what was sent',
    'POST',
    '/apps/HOSTILE',
    gzipSync(Buffer.alloc(50_000_000, ' ')),
    { ...json, 'content-encoding': 'gzip' },
  ],
  ['a compression that is none', 'POST', '/apps/HOSTILE', 'x', { ...json, 'content-encoding': 'gzip' }],
  ['a compression that nobody knows', 'POST', '/apps/HOSTILE', 'x', { ...json, 'content-encoding': 'zstd' }],
  ['more than it may have', 'POST', '/apps/HOSTILE', ' '.repeat(200_000), json, [400, 413]],
  ['a renewal of nobody', 'PUT', '/apps/HOSTILE/constructor', undefined, {}, [404]],
  ['a renewal that is not encoded', 'PUT', '/apps/HOSTILE/%zz', undefined, {}, [400, 404]],
  [
    'a renewal with a status that is none',
    'PUT',
    '/apps/PEOPLE/127.0.0.1:people?overriddenstatus=__proto__',
    undefined,
    {},
  ],
  [
    'a renewal of the far future',
    'PUT',
    `/apps/PEOPLE/127.0.0.1:people?lastDirtyTimestamp=${'9'.repeat(400)}`,
  ],
  [
    'a renewal with several times',
    'PUT',
    '/apps/PEOPLE/127.0.0.1:people?lastDirtyTimestamp=1&lastDirtyTimestamp=2',
  ],
  ['metadata several times', 'PUT', '/apps/PEOPLE/127.0.0.1:people/metadata?a=1&a=2'],
  ['metadata of the prototype in a path', 'PUT', '/apps/PEOPLE/127.0.0.1:people/metadata?__proto__=1'],
  [
    'a path that leads elsewhere',
    'PUT',
    '/apps/PEOPLE/127.0.0.1:people/metadata?graphql.path=%40evil.example',
  ],
  [
    'an id of ten thousand characters',
    'GET',
    `/apps/HOSTILE/${'x'.repeat(10_000)}`,
    undefined,
    {},
    [404, 414, 431],
  ],
  ['an application that is a path', 'GET', '/apps/..%2f..%2fetc', undefined, {}, [404]],
  ['a batch that is none', 'POST', '/peerreplication/batch', '{"replicationList":{}}', json],
  [
    'a batch of anything',
    'POST',
    '/peerreplication/batch',
    `{"replicationList":[null,1,"x",[],{},{"action":"__proto__"},${deep(1_000)}]}`,
    json,
    [200],
  ],
  [
    'a batch as deep as it is long',
    'POST',
    '/peerreplication/batch',
    `{"replicationList":[${deep(100_000)}]}`,
    json,
    [200],
  ],
  [
    'a batch with a batch for a name',
    'POST',
    '/peerreplication/batch',
    `{"replicationList":[{"appName":${deep(50_000)}}]}`,
    json,
    [200],
  ],
  ['an id of an event that is none', 'GET', '/apps/delta', undefined, { accept: 'x/;;;,' }, [200, 406]],
];

describe('the registry', () => {
  test.each(requests)('answers %s', async (_what, method, path, body, headers = {}, statuses = [400]) => {
    const [answer, honest] = await Promise.all([
      ask({ url: front.registryUrl + path, method, headers, ...(body === undefined ? {} : { body }) }),
      fetch(`${front.registryUrl}/apps/PEOPLE`),
    ]);
    expect(statuses, answer.text.slice(0, 300)).toContain(answer.status);
    expect(answer.text.length).toBeLessThan(5_000);
    expect(answer.text).not.toMatch(/node_modules|\.js:\d+|RangeError|TypeError|root:/);
    expect(honest.status).toBe(200);
    const apps = (await (
      await fetch(`${front.registryUrl}/apps`, { headers: { accept: 'application/json' } })
    ).json()) as {
      applications: { application: { name: string }[] };
    };
    expect(apps.applications.application.map(({ name }) => name)).not.toContain('HOSTILE');
  });
});

test('none of it is an error of the registry', () => {
  expect(front.log('discovery').match(/.*"level":"(error|fatal)".*/g) ?? []).toEqual([]);
});
