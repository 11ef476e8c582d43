import { type FeatureFederation, type Row, rows } from './feature-federation.ts';

/** A field that leads to others which it provides, below a list. */
export const providedFields: FeatureFederation = {
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

/** Fields, values of enums and types that clients do not see, and an interface over entities of several subgraphs. */
export const hidden: FeatureFederation = {
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

/** A field that moves from one subgraph to another for a part of the requests. */
export const movingFields: FeatureFederation = {
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
