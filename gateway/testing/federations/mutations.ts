import { type FeatureFederation, type Row, rows } from './feature-federation.ts';

/** Mutations whose payloads are completed by other subgraphs. */
export const mutations: FeatureFederation = {
  subgraphs: {
    a: `type Query { wallet: Wallet } type Mutation { pay(amount: Int = 1, to: ID): Payment! refund(ids: [ID!]): [Payment] }
      type Payment { ok: Boolean wallet: Wallet } type Wallet @key(fields: "id") { id: ID! balance: Int }`,
    b: `type Mutation { rename(name: String!): Wallet } type Wallet @key(fields: "id") { id: ID! name: String! history(last: Int = 2): [Int!] }`,
  },
  world(maybe) {
    const wallets: Row[] = rows(2, n => ({
      __typename: 'Wallet',
      id: `${n}`,
      balance: maybe(`wallet${n}.balance`, n * 10),
      name: maybe(`wallet${n}.name`, `wallet ${n}`),
      history: ({ last }: { last?: number | null }) => [1, 2, 3].slice(0, last ?? 2),
    }));
    const payment = (ok: boolean, index: number) => ({ __typename: 'Payment', ok, wallet: wallets[index] });
    return {
      root: {
        wallet: wallets[0],
        pay: ({ amount }: { amount: number | null }) => maybe('pay', payment((amount ?? 1) > 0, 0)),
        refund: () => [payment(true, 1), maybe('refund.1', payment(false, 0))],
        rename: maybe('rename', wallets[1]),
      },
      entities: { Wallet: wallets },
    };
  },
};
