import type { World } from './federation.ts';

type Row = Record<string, unknown>;

/** Puts a fault, null or an error, in the place of a value when the run has one at this key. */
export type Maybe = (key: string, value: unknown) => unknown;

/** Subgraphs whose features are those of one kind, over a world with places for faults. */
export interface FeatureFederation {
  readonly subgraphs: Readonly<Record<string, string>>;
  readonly keys?: Readonly<Record<string, readonly string[]>>;
  readonly world: (maybe: Maybe) => World;
}

/** Reads what a representation brought; over one schema, where there is none, the object's own field. */
function given(row: Row, name: string): unknown {
  const representation = row['given'] as Row | undefined;
  const value = representation && name in representation ? representation[name] : row[name];
  if (value instanceof Error) throw value;
  return value;
}

const rows = (count: number, make: (n: number) => Row): Row[] =>
  Array.from({ length: count }, (_, index) => make(index + 1));

/** The usual example: accounts, products, reviews, inventory. */
const shop: FeatureFederation = {
  subgraphs: {
    accounts: `type Query { me: User users: [User] user(id: ID!): User }
      type User @key(fields: "id") { id: ID! name: String username: String! @shareable birthday: String }`,
    products: `type Query { topProducts(first: Int = 2): [Product] }
      type Product @key(fields: "upc") { upc: String! name: String price: Int weight: Int }`,
    reviews: `type Review @key(fields: "id") { id: ID! body: String author: User @provides(fields: "username") product: Product }
      type User @key(fields: "id") { id: ID! username: String! @external reviews: [Review!] numberOfReviews: Int! }
      type Product @key(fields: "upc") { upc: String! reviews(first: Int): [Review] }`,
    inventory: `type Product @key(fields: "upc") { upc: String! weight: Int @external price: Int @external inStock: Boolean
      shippingEstimate: Int @requires(fields: "price weight") }`,
  },
  keys: { Product: ['upc'] },
  world(maybe) {
    const users = rows(3, n => ({
      __typename: 'User',
      id: `${n}`,
      name: maybe(`user${n}.name`, `name ${n}`),
      username: `@${n}`,
      birthday: n === 2 ? null : '1815',
      numberOfReviews: maybe(`user${n}.numberOfReviews`, n),
    }));
    const products: Row[] = rows(3, n => ({
      __typename: 'Product',
      upc: `p${n}`,
      name: maybe(`product${n}.name`, `product ${n}`),
      price: n * 10,
      weight: n === 3 ? null : n,
      inStock: maybe(`product${n}.inStock`, n !== 2),
      shippingEstimate(this: Row) {
        return Number(given(this, 'price')) + Number(given(this, 'weight') ?? 0);
      },
    }));
    const reviews: Row[] = rows(5, n => ({
      __typename: 'Review',
      id: `r${n}`,
      body: maybe(`review${n}.body`, `body ${n}`),
      author: maybe(`review${n}.author`, users[n % 3]),
      product: maybe(`review${n}.product`, products[n % 3]),
    }));
    for (const user of users)
      Object.assign(user, {
        reviews: reviews.filter(({ author }) => (author as Row | null)?.['id'] === user['id']),
      });
    for (const product of products)
      product['reviews'] = ({ first = 9 }: { first?: number }) =>
        reviews
          .filter(each => (each['product'] as Row | null)?.['upc'] === product['upc'])
          .slice(0, first ?? 9);
    return {
      root: {
        me: maybe('me', users[0]),
        users,
        user: ({ id }: { id: string }) => users.find(user => user['id'] === id) ?? null,
        topProducts: ({ first }: { first: number }) => products.slice(0, first ?? 2),
      },
      entities: { User: users, Product: products, Review: reviews },
    };
  },
};

/** Interfaces and unions whose members have fields of several subgraphs. */
const abstractTypes: FeatureFederation = {
  subgraphs: {
    a: `type Query { nodes: [Node] things: [Thing!]! first: Node }
      interface Node { id: ID! label: String owner: Node }
      union Thing = Book | Song | Note
      type Book implements Node @key(fields: "id") { id: ID! label: String owner: Node pages: Int }
      type Song implements Node @key(fields: "id") { id: ID! label: String owner: Node seconds: Float }
      type Note { text: String book: Book }`,
    b: `type Book @key(fields: "id") { id: ID! rating: Int! tags: [String] } type Song @key(fields: "id") { id: ID! rating: Float stars: [[Int]] }`,
  },
  world(maybe) {
    const books: Row[] = rows(2, n => ({
      __typename: 'Book',
      id: `b${n}`,
      label: maybe(`book${n}.label`, 'book'),
      pages: n,
      rating: maybe(`book${n}.rating`, n),
      tags: maybe(`book${n}.tags`, ['x', null]),
    }));
    const songs: Row[] = rows(2, n => ({
      __typename: 'Song',
      id: `s${n}`,
      label: maybe(`song${n}.label`, 'song'),
      seconds: n + 0.5,
      rating: maybe(`song${n}.rating`, n),
      stars: [[1, null], maybe(`song${n}.stars`, []), [n]],
    }));
    for (const [index, book] of books.entries()) book['owner'] = maybe(`book${index}.owner`, songs[index]);
    for (const [index, song] of songs.entries()) song['owner'] = index === 0 ? null : books[0];
    const note = { __typename: 'Note', text: 'note', book: maybe('note.book', books[1]) };
    return {
      root: {
        nodes: [books[0], songs[0], null, songs[1]],
        things: [note, ...books, ...songs],
        first: maybe('first', books[0]),
      },
      entities: { Book: books, Song: songs },
    };
  },
};

/** Composite and nested keys, and fields that require nested fields of other subgraphs. */
const compositeKeys: FeatureFederation = {
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

/** An interface that one subgraph knows as an object. */
const interfaceObject: FeatureFederation = {
  subgraphs: {
    a: `type Query { media: [Media] movie: Movie }
      interface Media @key(fields: "id") { id: ID! title: String }
      type Movie implements Media @key(fields: "id") { id: ID! title: String minutes: Int }
      type Album implements Media @key(fields: "id") { id: ID! title: String tracks: Int }`,
    b: `type Media @interfaceObject @key(fields: "id") { id: ID! score: Int reviews: [Review!] } type Review { text: String media: Media }
      type Query { best: Media }`,
  },
  world(maybe) {
    const media: Row[] = ['Movie', 'Album', 'Movie'].map((__typename, n) => ({
      __typename,
      id: `m${n}`,
      title: maybe(`media${n}.title`, `title ${n}`),
      minutes: n,
      tracks: n,
      score: maybe(`media${n}.score`, n),
    }));
    for (const each of media) each['reviews'] = [{ __typename: 'Review', text: 'good', media: each }];
    return {
      root: { media, movie: maybe('movie', media[0]), best: media[1] },
      entities: {
        Media: media,
        Movie: media.filter(({ __typename }) => __typename === 'Movie'),
        Album: media.filter(({ __typename }) => __typename === 'Album'),
      },
    };
  },
};

/** Shareable and overridden fields, enums, custom scalars, input types, lists of lists. */
const values: FeatureFederation = {
  subgraphs: {
    a: `type Query { item(filter: Filter, color: Color = RED): Item matrix: [[Item!]]! json: Any }
      scalar Any enum Color { RED GREEN } input Filter { id: ID! colors: [Color!] }
      type Item @key(fields: "id") { id: ID! color: Color @shareable size: Size @shareable old: Int extra: Any }
      type Size @shareable { w: Int h: Int }`,
    b: `scalar Any enum Color { RED GREEN }
      type Item @key(fields: "id") { id: ID! color: Color @shareable size: Size @shareable old: Int @override(from: "a") grid: [[Any]!] }
      type Size @shareable { w: Int h: Int d: Int }`,
  },
  world(maybe) {
    const items = rows(3, n => ({
      __typename: 'Item',
      id: `${n}`,
      color: n === 1 ? 'RED' : maybe(`item${n}.color`, 'GREEN'),
      size: maybe(`item${n}.size`, { __typename: 'Size', w: n, h: n, d: n }),
      old: maybe(`item${n}.old`, n),
      extra: { any: [n, { thing: null }] },
      grid: [[n, { x: n }], [null]],
    }));
    return {
      root: {
        item: ({ filter }: { filter?: { id: string } }) =>
          items.find(({ id }) => id === filter?.id) ?? items[0],
        matrix: [[items[0], items[1]], null, [], [maybe('matrix.2', items[2])]],
        json: { a: [1] },
      },
      entities: { Item: items },
    };
  },
};

/** Keys that lead from one subgraph to another through a third. */
const keyChains: FeatureFederation = {
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

/** A field that the client and an `@requires` ask for with arguments of their own. */
const requiredArguments: FeatureFederation = {
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
const requiredTwice: FeatureFederation = {
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

/** Value types whose parts are of several subgraphs, in lists, and mutually nested entities. */
const nestedValues: FeatureFederation = {
  subgraphs: {
    a: `type Query { carts: [Cart!] cart: Cart }
      type Cart @key(fields: "id") { id: ID! lines: [Line!] owner: Owner }
      type Line @shareable { amount: Int product: Product }
      type Product @key(fields: "sku") { sku: ID! }
      type Owner @key(fields: "id") { id: ID! carts: [Cart!] }`,
    b: `type Product @key(fields: "sku") { sku: ID! title: String! parts: [Part] }
      type Part @key(fields: "id") { id: ID! size: Size } type Size { w: Int h: Int unit: Unit } enum Unit { MM CM }`,
    c: `type Part @key(fields: "id") { id: ID! maker: Owner } type Owner @key(fields: "id") { id: ID! name: String level: Int! }`,
  },
  keys: { Product: ['sku'] },
  world(maybe) {
    const owners: Row[] = rows(2, n => ({
      __typename: 'Owner',
      id: `o${n}`,
      name: maybe(`owner${n}.name`, `owner ${n}`),
      level: maybe(`owner${n}.level`, n),
    }));
    const parts = rows(3, n => ({
      __typename: 'Part',
      id: `t${n}`,
      size: maybe(`part${n}.size`, { __typename: 'Size', w: n, h: null, unit: n === 1 ? 'MM' : 'CM' }),
      maker: maybe(`part${n}.maker`, owners[n % 2]),
    }));
    const products = rows(3, n => ({
      __typename: 'Product',
      sku: `s${n}`,
      title: maybe(`product${n}.title`, `title ${n}`),
      parts: maybe(`product${n}.parts`, [parts[n - 1], null, parts[0]]),
    }));
    const carts: Row[] = rows(2, n => ({
      __typename: 'Cart',
      id: `c${n}`,
      lines: [
        { __typename: 'Line', amount: n, product: products[n - 1] },
        { __typename: 'Line', amount: null, product: maybe(`cart${n}.product`, products[2]) },
      ],
      owner: maybe(`cart${n}.owner`, owners[n - 1]),
    }));
    for (const owner of owners) owner['carts'] = carts;
    return {
      root: { carts, cart: maybe('cart', carts[0]) },
      entities: { Product: products, Part: parts, Owner: owners, Cart: carts },
    };
  },
};

/** Fields, values of enums and types that clients do not see, and an interface over entities of several subgraphs. */
const hidden: FeatureFederation = {
  subgraphs: {
    a: `type Query { animals: [Animal] favourite: Pet secret: Hidden @inaccessible }
      interface Animal { id: ID! name: String } union Pet = Cat | Dog
      type Cat implements Animal @key(fields: "id code") { id: ID! code: Int! @inaccessible name: String mood: Mood lives: Int }
      type Dog implements Animal @key(fields: "id") { id: ID! name: String mood: Mood }
      enum Mood { CALM WILD @inaccessible } type Hidden @inaccessible { id: ID }`,
    b: `interface Animal { id: ID! weight: Float }
      type Cat implements Animal @key(fields: "id code") { id: ID! code: Int! @inaccessible weight: Float toys: [Toy!]! }
      type Dog implements Animal @key(fields: "id") { id: ID! weight: Float toys: [Toy!] }
      interface Toy { price: Int } type Ball implements Toy { price: Int radius: Int } type Bone implements Toy { price: Int }`,
  },
  keys: { Cat: ['id', 'code'] },
  world(maybe) {
    const toys = [
      { __typename: 'Ball', price: 1, radius: 3 },
      { __typename: 'Bone', price: maybe('bone.price', 2) },
    ];
    const cats = rows(2, n => ({
      __typename: 'Cat',
      id: `c${n}`,
      code: n,
      name: maybe(`cat${n}.name`, `cat ${n}`),
      mood: 'CALM',
      lives: 9,
      weight: maybe(`cat${n}.weight`, n + 0.5),
      toys: maybe(`cat${n}.toys`, toys),
    }));
    const dogs = rows(2, n => ({
      __typename: 'Dog',
      id: `d${n}`,
      name: maybe(`dog${n}.name`, `dog ${n}`),
      mood: null,
      weight: maybe(`dog${n}.weight`, n),
      toys: maybe(`dog${n}.toys`, toys.slice(1)),
    }));
    return {
      root: { animals: [...cats, null, ...dogs], favourite: maybe('favourite', dogs[0]) },
      entities: { Cat: cats, Dog: dogs },
    };
  },
};

/** Fields that one subgraph provides along a path, and requirements that build on one another. */
const chains: FeatureFederation = {
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

/** Objects are required, or a union whose members have fields of their own. */
const requiredObjects: FeatureFederation = {
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

/** An entity whose key is partly that of another entity. */
const nestedKeys: FeatureFederation = {
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

/** A field that moves from one subgraph to another for a part of the requests. */
const movingFields: FeatureFederation = {
  subgraphs: {
    a: `type Query { bills: [Bill] } type Bill @key(fields: "id") { id: ID! amount: Int due: String payer: Payer } type Payer @key(fields: "id") { id: ID! }`,
    b: `type Bill @key(fields: "id") { id: ID! amount: Int @override(from: "a", label: "percent(50)") payer: Payer @override(from: "a", label: "percent(10)") }
      type Payer @key(fields: "id") { id: ID! name: String! }`,
  },
  world(maybe) {
    const payers: Row[] = rows(2, n => ({
      __typename: 'Payer',
      id: `p${n}`,
      name: maybe(`payer${n}.name`, `payer ${n}`),
    }));
    const bills = rows(3, n => ({
      __typename: 'Bill',
      id: `${n}`,
      amount: maybe(`bill${n}.amount`, n * 100),
      due: '2030',
      payer: maybe(`bill${n}.payer`, payers[n % 2]),
    }));
    return { root: { bills }, entities: { Bill: bills, Payer: payers } };
  },
};

/** An interface that is an entity in one subgraph, with its types and their fields in two. */
const entityInterfaces: FeatureFederation = {
  subgraphs: {
    a: `type Query { devices: [Device] device: Device } interface Device @key(fields: "id") { id: ID! name: String }
      type Phone implements Device @key(fields: "id") { id: ID! name: String inches: Float }
      type Router implements Device @key(fields: "id") { id: ID! name: String ports: Int peer: Device }`,
    b: `type Phone @key(fields: "id") { id: ID! number: String! } type Router @key(fields: "id") { id: ID! address: String }`,
  },
  world(maybe) {
    const phones: Row[] = rows(2, n => ({
      __typename: 'Phone',
      id: `ph${n}`,
      name: maybe(`phone${n}.name`, `phone ${n}`),
      inches: 5.5,
      number: maybe(`phone${n}.number`, `+${n}`),
    }));
    const routers: Row[] = rows(2, n => ({
      __typename: 'Router',
      id: `ro${n}`,
      name: 'router',
      ports: maybe(`router${n}.ports`, n),
      peer: maybe(`router${n}.peer`, phones[n - 1]),
      address: maybe(`router${n}.address`, `10.0.0.${n}`),
    }));
    const devices = [phones[0], routers[0], routers[1], phones[1]];
    return {
      root: { devices, device: maybe('device', routers[0]) },
      entities: { Phone: phones, Router: routers, Device: [...phones, ...routers] },
    };
  },
};

/** A union to which each subgraph adds members, and entities that one subgraph only refers to. */
const growingUnions: FeatureFederation = {
  subgraphs: {
    a: `type Query { feed: [Entry] } union Entry = Text | Image type Text @key(fields: "id") { id: ID! body: String also: Entry } type Image @key(fields: "id") { id: ID! url: String }`,
    b: `type Query { ads: [Entry!] } union Entry = Ad | Image type Ad @key(fields: "id") { id: ID! slogan: String } type Image @key(fields: "id", resolvable: false) { id: ID! }`,
    c: `type Text @key(fields: "id") { id: ID! words: Int } type Ad @key(fields: "id") { id: ID! price: Int! } type Image @key(fields: "id") { id: ID! width: Int }`,
  },
  world(maybe) {
    const images: Row[] = rows(2, n => ({
      __typename: 'Image',
      id: `i${n}`,
      url: `/${n}`,
      width: maybe(`image${n}.width`, n),
    }));
    const texts: Row[] = rows(2, n => ({
      __typename: 'Text',
      id: `t${n}`,
      body: maybe(`text${n}.body`, 'words'),
      words: maybe(`text${n}.words`, n),
      also: maybe(`text${n}.also`, images[n - 1]),
    }));
    const ads: Row[] = rows(2, n => ({
      __typename: 'Ad',
      id: `a${n}`,
      slogan: 'buy',
      price: maybe(`ad${n}.price`, n),
    }));
    return {
      root: { feed: [texts[0], images[0], maybe('feed.2', texts[1])], ads: [ads[0], images[1], ads[1]] },
      entities: { Text: texts, Image: images, Ad: ads },
    };
  },
};

/** Entities in lists of lists, and an entity that is its own parent. */
const deepLists: FeatureFederation = {
  subgraphs: {
    a: `type Query { board: Board } type Board @key(fields: "id") { id: ID! cells: [[Cell]!] deep: [[[Cell!]]] corner: Cell } type Cell @key(fields: "at") { at: ID! }`,
    b: `type Cell @key(fields: "at") { at: ID! piece: Piece mark: String near: [[Cell]] } type Piece { name: String! moves: [[Int!]] }`,
    c: `type Cell @key(fields: "at") { at: ID! heat: Float board: Board } type Board @key(fields: "id") { id: ID! title: String }`,
  },
  keys: { Cell: ['at'] },
  world(maybe) {
    const cells: Row[] = rows(4, n => ({
      __typename: 'Cell',
      at: `c${n}`,
      piece: maybe(`cell${n}.piece`, {
        __typename: 'Piece',
        name: maybe(`cell${n}.name`, 'rook'),
        moves: [[n], null],
      }),
      mark: maybe(`cell${n}.mark`, `${n}`),
      heat: maybe(`cell${n}.heat`, n / 2),
    }));
    const board: Row = {
      __typename: 'Board',
      id: 'b1',
      title: maybe('board.title', 'chess'),
      cells: [[cells[0], null, cells[1]], [], [maybe('cells.2', cells[2])]],
      deep: [[[cells[0]], null], null, [[cells[3], cells[0]]]],
      corner: maybe('corner', cells[3]),
    };
    for (const [index, cell] of cells.entries())
      Object.assign(cell, { near: [[cells[3 - index]], null], board });
    return { root: { board: maybe('board', board) }, entities: { Cell: cells, Board: [board] } };
  },
};

/** A field that leads to others which it provides, below a list. */
const providedFields: FeatureFederation = {
  subgraphs: {
    a: `type Query { shelves: [Shelf] } type Shelf { name: String books: [Book!] @provides(fields: "title author { name }") newest: Book }
      type Book @key(fields: "isbn") { isbn: ID! title: String @external author: Author @external } type Author @key(fields: "id") { id: ID! name: String @external }`,
    b: `type Book @key(fields: "isbn") { isbn: ID! title: String @shareable author: Author @shareable pages: Int } type Author @key(fields: "id") { id: ID! name: String @shareable born: Int }`,
  },
  keys: { Book: ['isbn'] },
  world(maybe) {
    const authors: Row[] = rows(2, n => ({
      __typename: 'Author',
      id: `${n}`,
      name: `author ${n}`,
      born: maybe(`author${n}.born`, 1900 + n),
    }));
    const books: Row[] = rows(3, n => ({
      __typename: 'Book',
      isbn: `i${n}`,
      title: `title ${n}`,
      author: authors[n % 2],
      pages: maybe(`book${n}.pages`, n * 100),
    }));
    const shelves = [
      { __typename: 'Shelf', name: 'left', books: [books[0], books[1]], newest: maybe('newest', books[2]) },
      { __typename: 'Shelf', name: maybe('right', 'right'), books: maybe('books', [books[2]]), newest: null },
    ];
    return { root: { shelves }, entities: { Book: books, Author: authors } };
  },
};

/** Mutations whose payloads are completed by other subgraphs. */
const mutations: FeatureFederation = {
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

/** Three interfaces over each other, and types that implement them in one subgraph only. */
const interfaceTrees: FeatureFederation = {
  subgraphs: {
    a: `type Query { all: [Base] wide: [Wide] } interface Base { id: ID! } interface Named implements Base { id: ID! name: String }
      interface Wide implements Named & Base { id: ID! name: String width(unit: Unit = MM): Int } enum Unit { MM CM }
      type Desk implements Wide & Named & Base @key(fields: "id") { id: ID! name: String width(unit: Unit = MM): Int }
      type Lamp implements Named & Base @key(fields: "id") { id: ID! name: String }
      type Nail implements Base { id: ID! }`,
    b: `interface Priced { price: Int } type Desk implements Priced @key(fields: "id") { id: ID! price: Int drawers: [Lamp] }
      type Lamp implements Priced @key(fields: "id") { id: ID! price: Int watts: Int! }`,
  },
  world(maybe) {
    const lamps: Row[] = rows(2, n => ({
      __typename: 'Lamp',
      id: `l${n}`,
      name: maybe(`lamp${n}.name`, 'lamp'),
      price: maybe(`lamp${n}.price`, n),
      watts: maybe(`lamp${n}.watts`, n * 5),
    }));
    const desks: Row[] = rows(2, n => ({
      __typename: 'Desk',
      id: `d${n}`,
      name: 'desk',
      width: ({ unit }: { unit?: string | null }) => (unit === 'CM' ? n : n * 10),
      price: maybe(`desk${n}.price`, n * 100),
      drawers: [maybe(`desk${n}.drawers`, lamps[n - 1]), null],
    }));
    const nail = { __typename: 'Nail', id: 'n1' };
    return {
      root: { all: [desks[0], lamps[0], nail, maybe('all.3', lamps[1])], wide: desks },
      entities: { Desk: desks, Lamp: lamps },
    };
  },
};

/** Federations by the features that they are made of. */
export const federations: Readonly<Record<string, FeatureFederation>> = {
  shop,
  abstractTypes,
  compositeKeys,
  interfaceObject,
  values,
  keyChains,
  requiredArguments,
  requiredTwice,
  nestedValues,
  hidden,
  chains,
  requiredObjects,
  nestedKeys,
  movingFields,
  entityInterfaces,
  growingUnions,
  deepLists,
  providedFields,
  mutations,
  interfaceTrees,
};
