import { type FeatureFederation, given, type Row, rows } from './feature-federation.ts';

/** Composite and nested keys, and fields that require nested fields of other subgraphs. */
export const compositeKeys: FeatureFederation = {
  subgraphs: {
    a: `type Query { users: [User!] }
      type User @key(fields: "id organization { id }") { id: ID! organization: Org! address: Address }
      type Org @key(fields: "id") { id: ID! } type Address { street: String zip: String }`,
    b: `type User @key(fields: "id organization { id }") { id: ID! organization: Org! rank: Int address: Address @external
        label: String @requires(fields: "address { zip street }") }
      type Org @key(fields: "id") { id: ID! name: String! } type Address @external { street: String zip: String }`,
    c: `type Org @key(fields: "id") { id: ID! size: Int } type User @key(fields: "id organization { id }") { id: ID! organization: Org!
        rank: Int @external double: Int @requires(fields: "rank") }`,
  },
  keys: { User: ['id', 'organization'] },
  world(maybe) {
    const orgs = rows(2, n => ({
      __typename: 'Org',
      id: `o${n}`,
      name: maybe(`org${n}.name`, `org ${n}`),
      size: maybe(`org${n}.size`, n),
    }));
    const users = rows(3, n => ({
      __typename: 'User',
      id: '1',
      organization: orgs[n % 2],
      address: n === 3 ? null : { __typename: 'Address', street: `street ${n}`, zip: n === 2 ? null : '1' },
      rank: n === 1 ? null : n,
      label(this: Row) {
        const address = given(this, 'address') as Row | null;
        return address ? JSON.stringify([address['street'], address['zip']]) : null;
      },
      double(this: Row) {
        const rank = given(this, 'rank') as number | null;
        return rank === null ? null : rank * 2;
      },
    })).slice(0, 2);
    return { root: { users: maybe('users', users) }, entities: { User: users, Org: orgs } };
  },
};

/** Keys that lead from one subgraph to another through a third. */
export const keyChains: FeatureFederation = {
  subgraphs: {
    a: 'type Query { t: T list: [T] } type T @key(fields: "id1") { id1: ID! inA: Int next: T }',
    b: 'type T @key(fields: "id1") @key(fields: "id2") { id1: ID! id2: ID! inB: Int }',
    c: 'type T @key(fields: "id2") @key(fields: "id3") { id2: ID! id3: ID! inC: Int! }',
    d: 'type T @key(fields: "id3") { id3: ID! inD: String inC: Int! @external sum: String @requires(fields: "inC") }',
  },
  keys: { T: ['id1', 'id2', 'id3'] },
  world(maybe) {
    const all: Row[] = rows(3, n => ({
      __typename: 'T',
      id1: `a${n}`,
      id2: `b${n}`,
      id3: `c${n}`,
      inA: maybe(`t${n}.inA`, n),
      inB: maybe(`t${n}.inB`, n),
      inC: n,
      inD: maybe(`t${n}.inD`, `d${n}`),
      sum(this: Row) {
        return `${String(given(this, 'inC'))}!`;
      },
    }));
    for (const [index, each] of all.entries()) each['next'] = maybe(`t${index}.next`, all[index + 1] ?? null);
    return { root: { t: maybe('t', all[0]), list: all }, entities: { T: all } };
  },
};

/** An entity whose key is partly that of another entity. */
export const nestedKeys: FeatureFederation = {
  subgraphs: {
    a: `type Query { seats: [Seat!]! } type Seat @key(fields: "row hall { id }") { row: Int! hall: Hall! taken: Boolean }
      type Hall @key(fields: "id") { id: ID! }`,
    b: `type Seat @key(fields: "row hall { id }") { row: Int! hall: Hall! price: Float } type Hall @key(fields: "id") { id: ID! name: String }`,
  },
  keys: { Seat: ['row', 'hall'] },
  world(maybe) {
    const halls: Row[] = rows(2, n => ({
      __typename: 'Hall',
      id: `h${n}`,
      name: maybe(`hall${n}.name`, `hall ${n}`),
    }));
    const seats = rows(4, n => ({
      __typename: 'Seat',
      row: n,
      hall: halls[n % 2],
      taken: maybe(`seat${n}.taken`, n % 2 === 0),
      price: maybe(`seat${n}.price`, n + 0.5),
    }));
    return { root: { seats }, entities: { Seat: seats, Hall: halls } };
  },
};
