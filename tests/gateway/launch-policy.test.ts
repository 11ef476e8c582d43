import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { useFront } from '../helpers/front.ts';
import { makeDataDir } from '../helpers/system.ts';

const folder = await makeDataDir();
const file = join(folder, 'launch-policy.json');
const rules = {
  subgraphs: { items: ['ITEMS'] },
  types: { Item: ['items', 'stock'] },
  newSubgraphs: 'approve',
  breakingChanges: 'approve',
};
await writeFile(file, JSON.stringify(rules));

const federation = 'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key"])';
const items = `${federation} type Query { items: [Item!]! } type Item @key(fields: "id") { id: ID! name: String }`;
const stock = (fields: string) => `${federation} type Item @key(fields: "id") { id: ID! ${fields} }`;
const inTime = { timeout: 10_000 };

describe('with a launch policy', () => {
  const front = useFront({ env: { LAUNCH_POLICY_FILE: file, SUBGRAPH_REMOVAL_GRACE_MS: '300' } });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const ask = async (field: string) => (await front.anyone.request(`{ items { ${field} } }`)).data;
  const hashes = async () => (await front.supergraph()).subgraphs.map(({ name, hash }) => `${name}@${hash}`);
  const faults = async () => (await front.supergraph()).faults.join('\n');
  const waiting = async () =>
    (await front.supergraph()).awaitingApproval.map(({ subgraph, hash }) => `${subgraph}@${hash}`);
  const command = (body: object) =>
    front.actuator<{ phase: string }>('supergraph', { method: 'POST', body: JSON.stringify(body) });
  const approve = async (subgraph: string, hash: string) => {
    const { awaitingApproval } = await front.supergraph();
    const { sdlHash = 'none' } = awaitingApproval.find(each => each.subgraph === subgraph) ?? {};
    return command({ approve: { subgraph, hash, sdlHash } });
  };

  /** Serves stock, under its own or another application. */
  const serveStock = (hash: string, fields: string, application = 'stock') =>
    front.serve({
      name: application,
      instance: `${application}-${hash}`,
      typeDefs: stock(fields),
      resolvers: { Item: { count: () => 3, place: () => application } },
      metadata: { subgraph: 'stock', 'schema.hash': hash },
    });

  test('a new subgraph waits, and is in the graph after its approval', async () => {
    const base = await front.serve({
      name: 'items',
      typeDefs: items,
      resolvers: { Query: { items: () => [{ id: '1', name: 'pen' }] } },
      metadata: { subgraph: 'items', 'schema.hash': 'i1' },
    });
    await base.register();
    await (await serveStock('v1', 'count: Int place: String')).register();
    await expect.poll(waiting, inTime).toEqual(['stock@v1']);
    await expect.poll(hashes, inTime).toEqual(['items@i1']);
    expect((await front.supergraph()).awaitingApproval).toMatchObject([
      { applications: ['STOCK'], reasons: ['the graph has no subgraph of this name'] },
    ]);
    expect(await front.metrics()).toContain('gateway_supergraph_faults{kind="awaiting_approval"} 1');
    expect((await front.anyone.request('{ items { count } }')).errors).toHaveLength(1);

    const port = front.gateway.ready.ports?.['management'];
    const sdlAt = (hash: string) =>
      fetch(`http://127.0.0.1:${port}/actuator/supergraph/sdl?subgraph=stock&hash=${hash}`);
    expect(await (await sdlAt('v1')).text()).toContain('place: String');
    expect((await sdlAt('v0')).status).toBe(404);

    expect((await approve('stock', 'v0')).status).toBe(404);
    expect((await command({ approve: { subgraph: 'stock', hash: 'v1' } })).status).toBe(400);
    expect(await approve('stock', 'v1')).toMatchObject({ status: 200, body: { phase: 'serving' } });
    expect(await ask('count place')).toEqual({ items: [{ count: 3, place: 'stock' }] });
  });

  test('another application that takes the subgraph over gets no request, whatever it registers', async () => {
    const same = await serveStock('v1', 'count: Int place: String', 'evil');
    await same.register();
    await expect
      .poll(faults, inTime)
      .toMatch(/1 of EVIL name the subgraph 'stock' and are passed by, .* leaves it to STOCK/);
    const other = await serveStock('v666', 'count: Int place: String price: Int', 'evil');
    await other.register();
    await expect.poll(faults, inTime).toContain('2 of EVIL');
    expect(await front.metrics()).toContain('gateway_supergraph_faults{kind="not_allowed"} 1');
    for (let count = 0; count < 10; count++)
      expect(await ask('place')).toEqual({ items: [{ place: 'stock' }] });
    expect([...same.takeRequests(), ...other.takeRequests()]).toEqual([]);
    expect(await hashes()).toEqual(['items@i1', 'stock@v1']);
    await same.deregister();
    await other.deregister();
  });

  test('a subgraph that defines fields of a type of others is held back and named, and the others change', async () => {
    const prices = await front.serve({
      name: 'prices',
      typeDefs: stock('price: Int'),
      resolvers: {},
      metadata: { subgraph: 'prices', 'schema.hash': 'p1' },
    });
    await prices.register();
    await expect.poll(waiting, inTime).toEqual(['prices@p1']);
    expect((await approve('prices', 'p1')).status).toBe(200);
    await expect
      .poll(faults, inTime)
      .toBe(
        "'prices' at p1 is held back, because the launch policy does not allow it: [prices] defines Item.price, and Item belongs to items, stock",
      );
    expect(await hashes()).toEqual(['items@i1', 'stock@v1']);
    await prices.deregister();
    await expect.poll(faults, inTime).toBe('');
  });

  test('a breaking change waits while the old version is served, and its approval lets it in', async () => {
    const next = await serveStock('v2', 'count: Int');
    await next.register();
    await expect.poll(waiting, inTime).toEqual(['stock@v2']);
    const [waits] = (await front.supergraph()).awaitingApproval;
    expect(waits?.reasons).toEqual(["Field 'place' was removed from object type 'Item'"]);
    for (let count = 0; count < 6; count++)
      expect(await ask('place')).toEqual({ items: [{ place: 'stock' }] });
    expect(next.takeRequests()).toEqual([]);

    expect((await approve('stock', 'v2')).status).toBe(200);
    expect(await hashes()).toEqual(['items@i1', 'stock@v2']);
    expect(await ask('count')).toEqual({ items: [{ count: 3 }] });
    expect(next.takeRequests()).toHaveLength(1);
  });

  test('a restart remembers the approvals and whose subgraph it is', async () => {
    await front.gateway.stop('SIGKILL');
    const evil = await serveStock('v2', 'count: Int', 'evil');
    await evil.register();
    await front.startGateway();
    await expect.poll(faults, inTime).toMatch(/1 of EVIL .* leaves it to STOCK/);
    expect(await waiting()).toEqual([]);
    expect(await hashes()).toEqual(['items@i1', 'stock@v2']);
    for (let count = 0; count < 6; count++) expect(await ask('count')).toEqual({ items: [{ count: 3 }] });
    expect(evil.takeRequests()).toEqual([]);
  });

  test('the file is read again when it changes', async () => {
    await writeFile(file, JSON.stringify({ ...rules, subgraphs: { items: ['ITEMS'], stock: ['EVIL'] } }));
    await expect.poll(faults, inTime).toMatch(/\d of STOCK name the subgraph 'stock' .* leaves it to EVIL/);
    await expect.poll(() => ask('count'), inTime).toEqual({ items: [{ count: 3 }] });
  });
});
