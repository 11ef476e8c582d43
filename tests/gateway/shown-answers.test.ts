import { beforeAll, describe, expect, test, vi } from 'vitest';
import { type Front, useFront } from '../helpers/front.ts';

const secret = 'connection to 10.1.2.3 refused for user sa';

async function serveBoth(front: Front): Promise<void> {
  const fail = () => {
    throw new Error(secret);
  };
  const pens = await front.serve({
    name: 'pens',
    typeDefs: `extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key"])
      type Query { pen: Pen } type Subscription { inked: Pen leaked: Pen }
      type Pen @key(fields: "id") { id: ID! colour: String }`,
    resolvers: {
      Query: { pen: () => ({ id: '1' }) },
      Pen: { colour: fail },
      Subscription: {
        inked: {
          async *subscribe() {
            yield { inked: { id: '1' } };
          },
        },
        leaked: { subscribe: fail },
      },
    },
    extensions: { cost: 3, tracing: { host: '10.1.2.3' } },
  });
  const stock = await front.serve({
    name: 'stock',
    typeDefs: `extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key"])
      type Pen @key(fields: "id") { id: ID! count: Int }`,
    resolvers: { Pen: { count: () => 7 } },
    extensions: { cost: 4 },
  });
  for (const subgraph of [pens, stock]) await subgraph.register();
  const count = async () => (await front.anyone.request('{ pen { count } }')).data;
  await vi.waitFor(async () => expect(await count()).toEqual({ pen: { count: 7 } }), 10_000);
}

async function eventsOf(front: Front, query: string): Promise<unknown[]> {
  const results: unknown[] = [];
  try {
    for await (const result of front.anyone.subscribe(query)) results.push(result);
  } catch (errors) {
    results.push({ errors });
  }
  return results;
}

describe('what subgraphs say beside their data', () => {
  describe('by default', () => {
    const front = useFront();
    beforeAll(() => serveBoth(front));

    test('of their errors all, and of their extensions nothing', async () => {
      // The second one is a known operation.
      for (const _time of [1, 2])
        expect(await front.anyone.request('{ pen { colour count } }')).toEqual({
          data: { pen: { colour: null, count: 7 } },
          errors: [
            expect.objectContaining({
              message: secret,
              path: ['pen', 'colour'],
              extensions: expect.objectContaining({ subgraph: 'pens' }) as object,
            }),
          ],
        });
      expect(await front.anyone.request('{ pen { count } }')).toEqual({ data: { pen: { count: 7 } } });
    });
  });

  describe('with errors masked and an extension allowed', () => {
    const front = useFront({
      env: { SUBGRAPH_ERRORS: 'mask', SUBGRAPH_EXTENSIONS_TO_CLIENTS: 'cost, more' },
    });
    beforeAll(() => serveBoth(front));
    const masked = (path: string[]) => ({
      message: "The subgraph 'pens' answered with an error",
      path,
      extensions: { code: 'SUBGRAPH_ERROR', subgraph: 'pens' },
    });

    test('a query tells where an error was, and the extension under the name of each subgraph', async () => {
      for (const _time of [1, 2, 3]) {
        expect(await front.anyone.request('{ pen { colour count } }')).toEqual({
          data: { pen: { colour: null, count: 7 } },
          errors: [masked(['pen', 'colour'])],
          extensions: { pens: { cost: 3 }, stock: { cost: 4 } },
        });
        expect(await front.anyone.request('{ pen { id } }')).toEqual({
          data: { pen: { id: '1' } },
          extensions: { pens: { cost: 3 } },
        });
      }
    });

    test('an event too', async () => {
      const [event] = await eventsOf(front, 'subscription { inked { colour count } }');
      expect(event).toEqual({
        data: { inked: { colour: null, count: 7 } },
        errors: [masked(['inked', 'colour'])],
        extensions: { stock: { cost: 4 } },
      });
    });

    test('and the refusal of a subscription', async () => {
      const [refused] = await eventsOf(front, 'subscription { leaked { count } }');
      expect(refused).toMatchObject({ errors: [{ message: masked([]).message }] });
      expect(JSON.stringify(refused)).not.toContain(secret);
    });
  });
});
