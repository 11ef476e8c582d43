import { type FeatureFederation, type Row, rows } from './feature-federation.ts';

/** Shareable and overridden fields, enums, custom scalars, input types, lists of lists. */
export const values: FeatureFederation = {
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

/** Value types whose parts are of several subgraphs, in lists, and mutually nested entities. */
export const nestedValues: FeatureFederation = {
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

/** Entities in lists of lists, and an entity that is its own parent. */
export const deepLists: FeatureFederation = {
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
