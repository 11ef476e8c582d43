import { expect, test } from 'vitest';
import { compose } from '../composition/compose.ts';
import { findForeignDefinitions } from './type-ownership.ts';

const link = (imports: string) =>
  `extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: [${imports}])`;
const federation = link(
  '"@key", "@external", "@shareable", "@override", "@interfaceObject", "@requires", "@provides"',
);
const products = `${federation}
  type Query { products: [Product!]! }
  type Product @key(fields: "id") @key(fields: "sku") { id: ID! sku: ID! name: String price: Int }
  interface Media @key(fields: "id") { id: ID! title: String }
  type Book implements Media @key(fields: "id") { id: ID! title: String }
  enum Colour { RED BLUE }
  union Thing = Product | Book
  input Filter { colour: Colour }
  extend type Query { things(filter: Filter): [Thing!]! colours: [Colour!]! media: [Media!]! }`;
const owners = {
  Product: ['products'],
  Book: ['products'],
  Colour: ['products'],
  Thing: ['products'],
  Filter: ['products'],
};

function foreign(sdl: string, types: Record<string, string[]> = owners, base = products) {
  const outcome = compose([
    { name: 'products', hash: '1', sdl: base },
    { name: 'reviews', hash: '1', sdl },
  ]);
  if (outcome.kind === 'failed') throw new Error(outcome.faults.map(({ message }) => message).join());
  return findForeignDefinitions(outcome.supergraphSdl, types);
}

test('of types that nobody owns, everybody may define fields', () => {
  expect(foreign(`${federation} type Product @key(fields: "id") { id: ID! rating: Int }`, {})).toEqual([]);
});

test.each([
  ['its key', 'type Product @key(fields: "id") { id: ID! }'],
  ['its key, without resolving it', 'type Product @key(fields: "id", resolvable: false) { id: ID! }'],
])('a subgraph that refers to an owned type by %s defines nothing of it', (_what, sdl) => {
  expect(foreign(`${federation} type Review @key(fields: "id") { id: ID! product: Product } ${sdl}`)).toEqual(
    [],
  );
});

test.each([
  [
    'a field that requires one',
    'type Product @key(fields: "id") { id: ID! price: Int @external cheap: Boolean @requires(fields: "price") }',
    'Product',
    ['cheap'],
  ],
  [
    'a field that it provides',
    'type Product @key(fields: "id") { id: ID! price: Int @external } type Query { cheap: [Product!] @provides(fields: "price") }',
    'Product',
    ['price'],
  ],
  ['a field', 'type Product @key(fields: "id") { id: ID! rating: Int }', 'Product', ['rating']],
  [
    'a field in the place of its owner',
    'type Product @key(fields: "id") { id: ID! price: Int @override(from: "products") }',
    'Product',
    ['price'],
  ],
  [
    'two keys, by one of which it would be asked for the other',
    'type Product @key(fields: "id") @key(fields: "sku") { id: ID! sku: ID! }',
    'Product',
    ['id', 'sku'],
  ],
  [
    'a new field, in a key that it does not resolve',
    'type Product @key(fields: "id") @key(fields: "discount", resolvable: false) { id: ID! discount: Int }',
    'Product',
    ['discount'],
  ],
  [
    'a field in the place of its owner, in a key that it does not resolve',
    'type Product @key(fields: "id") @key(fields: "price", resolvable: false) { id: ID! price: Int @override(from: "products") }',
    'Product',
    ['price'],
  ],
  [
    'a field that its owner shares, in its own key',
    'type Product @key(fields: "id price") { id: ID! price: Int } type Query { cheap: Product }',
    'Product',
    ['price'],
  ],
  [
    'a field of every type of an interface',
    'type Media @key(fields: "id") @interfaceObject { id: ID! stars: Int }',
    'Book',
    ['stars'],
  ],
  ['a value of an enum', 'enum Colour { GREEN } type Query { green: Colour }', 'Colour', ['GREEN']],
  [
    'a member of a union',
    'union Thing = Pen type Pen { nib: Int } type Query { pens: [Thing!] }',
    'Thing',
    ['Pen'],
  ],
])('a subgraph that defines %s of an owned type is found', (_what, sdl, type, fields) => {
  const provided = fields.includes('price') && /@provides|"id price"/.test(sdl);
  const shared = provided ? products.replace('price: Int', 'price: Int @shareable') : products;
  // An enum that is an input as well has the values that all subgraphs know.
  const base = type === 'Colour' ? products.replace('colour: Colour', 'colour: String') : shared;
  expect(foreign(`${federation} ${sdl}`, owners, base)).toEqual([{ subgraph: 'reviews', type, fields }]);
});

test('a subgraph cannot hide a field behind a directive of its own that is called @external', () => {
  const sdl = `${link('"@key", { name: "@external", as: "@elsewhere" }')}
    directive @external on FIELD_DEFINITION
    type Product @key(fields: "id") { id: ID! rating: Int @external }`;
  expect(foreign(sdl)).toEqual([{ subgraph: 'reviews', type: 'Product', fields: ['rating'] }]);
});

test('a root type can be owned', () => {
  const sdl = 'type Query { a: Int } type Mutation { deleteAll: Boolean }';
  expect(foreign(sdl, { Mutation: ['products'] })).toEqual([
    { subgraph: 'reviews', type: 'Mutation', fields: ['deleteAll'] },
  ]);
});
