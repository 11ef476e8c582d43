import { type FeatureFederation, given, type Row, rows } from './feature-federation.ts';

/** A field that the client and an `@requires` ask for with arguments of their own. */
export const requiredArguments: FeatureFederation = {
  subgraphs: {
    a: `type Query { posts: [Post] } type Post @key(fields: "id") { id: ID! comments(limit: Int = 9): [Comment] }
      type Comment @key(fields: "id") { id: ID! text: String post: Post }`,
    b: `type Post @key(fields: "id") { id: ID! comments(limit: Int = 9): [Comment] @external
        digest: Int @requires(fields: "comments(limit: 3) { id }") }
      type Comment @key(fields: "id") { id: ID! likes: Int }`,
  },
  world(maybe) {
    const comments: Row[] = rows(5, n => ({
      __typename: 'Comment',
      id: `c${n}`,
      text: maybe(`comment${n}.text`, `text ${n}`),
      likes: maybe(`comment${n}.likes`, n),
    }));
    const posts: Row[] = rows(2, n => ({
      __typename: 'Post',
      id: `${n}`,
      comments: ({ limit }: { limit?: number | null }) => comments.slice(0, limit ?? 9),
      digest(this: Row) {
        const representation = this['given'] as Row | undefined;
        return representation ? (representation['comments'] as unknown[]).length : 3;
      },
    }));
    for (const comment of comments) comment['post'] = maybe('comment.post', posts[0]);
    return { root: { posts }, entities: { Post: posts, Comment: comments } };
  },
};

/** Fields that ask by `@requires` for one field with different arguments, in one subgraph and in two. */
export const requiredTwice: FeatureFederation = {
  subgraphs: {
    a: `type Query { posts: [Post] first: Post } type Mutation { post: Post }
      type Post @key(fields: "id") { id: ID! comments(limit: Int = 9): [Comment] info: Info }
      type Comment @key(fields: "id") { id: ID! text: String } type Info { words(of: String): [String] }`,
    b: `type Post @key(fields: "id") { id: ID! comments(limit: Int = 9): [Comment] @external
        three: Int @requires(fields: "comments(limit: 3) { id }")
        one(plus: Int): Int @requires(fields: "comments(limit: 1) { id }")
        alsoThree: Int @requires(fields: "comments(limit: 3) { id }") plain: String }
      type Comment @key(fields: "id") { id: ID! likes: Int }`,
    c: `type Post @key(fields: "id") { id: ID! comments(limit: Int = 9): [Comment] @external
        info: Info @external two: Int @requires(fields: "comments(limit: 2) { id }")
        long: Int @requires(fields: "info { words(of: \\"long\\") }") short: Int @requires(fields: "info { words(of: \\"ab\\") }") }
      type Comment @key(fields: "id") { id: ID! } type Info @external { words(of: String): [String] }`,
  },
  world(maybe) {
    const comments: Row[] = rows(5, n => ({
      __typename: 'Comment',
      id: `c${n}`,
      text: maybe(`comment${n}.text`, `text ${n}`),
      likes: n,
    }));
    const countOf = (count: number) =>
      function (this: Row, { plus }: { plus?: number | null } = {}) {
        const representation = this['given'] as Row | undefined;
        return (representation ? (representation['comments'] as unknown[]).length : count) + (plus ?? 0);
      };
    const wordsOf = (of: string) =>
      function (this: Row) {
        const info = (this['given'] as Row | undefined)?.['info'] as Row | undefined;
        return info ? (info['words'] as unknown[]).length : of.length;
      };
    const posts: Row[] = rows(2, n => ({
      __typename: 'Post',
      id: `${n}`,
      comments: ({ limit }: { limit?: number | null }) => comments.slice(0, limit ?? 9),
      info: { words: ({ of }: { of?: string | null }) => Array.from(of ?? '') },
      three: countOf(3),
      one: countOf(1),
      alsoThree: countOf(3),
      two: countOf(2),
      long: wordsOf('long'),
      short: wordsOf('ab'),
      plain: maybe(`post${n}.plain`, 'plain'),
    }));
    return { root: { posts, first: posts[0], post: posts[1] }, entities: { Post: posts, Comment: comments } };
  },
};

/** Objects are required, or a union whose members have fields of their own. */
export const requiredObjects: FeatureFederation = {
  subgraphs: {
    a: `type Query { parcels: [Parcel] } type Parcel @key(fields: "id") { id: ID! size: Size from: Party weights: [Int!] }
      type Size { w: Int h: Int } union Party = Person | Firm type Person { name: String } type Firm { title: String town: String }`,
    b: `type Parcel @key(fields: "id") { id: ID! size: Size @external from: Party @external weights: [Int!] @external
        area: Int @requires(fields: "size { w h }") label: String @requires(fields: "from { ... on Person { name } ... on Firm { title } }")
        heaviest: Int @requires(fields: "weights") }
      type Size @external { w: Int h: Int } union Party = Person | Firm type Person @external { name: String } type Firm @external { title: String }`,
  },
  world(maybe) {
    const parties: Row[] = [
      { __typename: 'Person', name: 'Ada' },
      { __typename: 'Firm', title: 'Pens Ltd', town: 'Ulm' },
    ];
    const parcels = rows(3, n => ({
      __typename: 'Parcel',
      id: `${n}`,
      size: n === 3 ? null : { __typename: 'Size', w: n, h: n + 1 },
      from: parties[n % 2],
      weights: [n, n * 2],
      area(this: Row) {
        const size = given(this, 'size') as { w: number; h: number } | null;
        return size && size.w * size.h;
      },
      label(this: Row) {
        const { name, title } = given(this, 'from') as Row;
        return String(name ?? title);
      },
      heaviest(this: Row) {
        return Math.max(...(given(this, 'weights') as number[]));
      },
    }));
    return { root: { parcels: maybe('parcels', parcels) }, entities: { Parcel: parcels } };
  },
};

/** Fields that one subgraph provides along a path, and requirements that build on one another. */
export const chains: FeatureFederation = {
  subgraphs: {
    a: `type Query { orders: [Order] } type Order @key(fields: "id") { id: ID! net: Int! buyer: Buyer @provides(fields: "email") }
      type Buyer @key(fields: "id") { id: ID! email: String @external }`,
    b: `type Order @key(fields: "id") { id: ID! net: Int! @external tax: Int @requires(fields: "net") }
      type Buyer @key(fields: "id") { id: ID! email: String @shareable country: String }`,
    c: `type Order @key(fields: "id") { id: ID! net: Int! @external tax: Int @external buyer: Buyer @external
        gross: Int @requires(fields: "net tax") label: String @requires(fields: "buyer { country }") }
      type Buyer @key(fields: "id") { id: ID! country: String @external }`,
    d: `type Order @key(fields: "id") { id: ID! gross: Int @external shown: String @requires(fields: "gross") }`,
  },
  world(maybe) {
    const buyers = rows(2, n => ({
      __typename: 'Buyer',
      id: `b${n}`,
      email: maybe(`buyer${n}.email`, `mail ${n}`),
      country: n === 1 ? 'DE' : null,
    }));
    const orders = rows(3, n => ({
      __typename: 'Order',
      id: `${n}`,
      net: n * 10,
      buyer: n === 3 ? null : buyers[n - 1],
      tax(this: Row) {
        return Number(given(this, 'net')) / 10;
      },
      gross(this: Row) {
        const net = Number(given(this, 'net'));
        const representation = this['given'] as Row | undefined;
        return net + (representation ? Number(representation['tax']) : net / 10);
      },
      label(this: Row) {
        const buyer = given(this, 'buyer') as Row | null;
        return buyer ? `to ${String(buyer['country'])}` : null;
      },
      shown(this: Row) {
        const representation = this['given'] as Row | undefined;
        return `${representation ? String(representation['gross']) : String(n * 11)} EUR`;
      },
    }));
    return { root: { orders: maybe('orders', orders) }, entities: { Order: orders, Buyer: buyers } };
  },
};
