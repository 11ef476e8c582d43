import { type FeatureFederation, given, type Row, rows } from './feature-federation.ts';

/** The usual example: accounts, products, reviews, inventory. */
export const shop: FeatureFederation = {
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
