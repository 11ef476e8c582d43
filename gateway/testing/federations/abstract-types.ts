import { type FeatureFederation, type Row, rows } from './feature-federation.ts';

/** Interfaces and unions whose members have fields of several subgraphs. */
export const abstractTypes: FeatureFederation = {
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

/** An interface that one subgraph knows as an object. */
export const interfaceObject: FeatureFederation = {
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

/** An interface that is an entity in one subgraph, with its types and their fields in two. */
export const entityInterfaces: FeatureFederation = {
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
export const growingUnions: FeatureFederation = {
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

/** Three interfaces over each other, and types that implement them in one subgraph only. */
export const interfaceTrees: FeatureFederation = {
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
