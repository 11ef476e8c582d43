/** An article of the shop, and how many pieces of it there are at first. */
export interface Article {
  sku: string;
  name: string;
  description: string;
  /** In euro cents. */
  priceAmount: number;
  available: number;
}

/** Articles of a small shop for coffee and paper. One is sold out and one nearly so. */
export const assortment: readonly Article[] = [
  {
    sku: 'MUG-BLACK',
    name: 'Stoneware mug, black',
    description: 'Hand-glazed mug for 300 ml, matt outside and glossy inside. Fit for the dishwasher.',
    priceAmount: 1450,
    available: 120,
  },
  {
    sku: 'MUG-SAND',
    name: 'Stoneware mug, sand',
    description: 'The same 300 ml mug in a warm, speckled sand glaze. No two are quite alike.',
    priceAmount: 1450,
    available: 80,
  },
  {
    sku: 'ESPRESSO-CUP-PAIR',
    name: 'Espresso cups, pair',
    description: 'Two thick-walled porcelain cups of 70 ml with saucers. They keep the warmth of the crema.',
    priceAmount: 2190,
    available: 45,
  },
  {
    sku: 'COFFEE-HOUSE-250',
    name: 'House blend, 250 g',
    description: 'Whole beans from Brazil and Guatemala, medium roast. Chocolate, hazelnut, little acidity.',
    priceAmount: 990,
    available: 200,
  },
  {
    sku: 'COFFEE-YIRGACHEFFE-250',
    name: 'Yirgacheffe, 250 g',
    description:
      'Whole beans from Ethiopia, washed, light roast. Jasmine and bergamot, best as filter coffee.',
    priceAmount: 1290,
    available: 60,
  },
  {
    sku: 'POUR-OVER-GLASS',
    name: 'Pour-over carafe',
    description: 'Carafe of borosilicate glass for up to six cups, with a wooden collar and a leather tie.',
    priceAmount: 4490,
    available: 25,
  },
  {
    sku: 'FILTER-PAPER-100',
    name: 'Filter papers, 100 pieces',
    description: 'Unbleached paper filters that fit the pour-over carafe. Rinse them before the first pour.',
    priceAmount: 690,
    available: 300,
  },
  {
    sku: 'GRINDER-HAND',
    name: 'Hand grinder',
    description: 'Conical steel burrs and 36 settings, from espresso to French press. Holds 25 g of beans.',
    priceAmount: 8900,
    available: 3,
  },
  {
    sku: 'KETTLE-GOOSENECK',
    name: 'Gooseneck kettle',
    description: 'Brushed steel kettle of 0.9 litres with a thermometer in its lid. For gas and induction.',
    priceAmount: 6450,
    available: 0,
  },
  {
    sku: 'NOTEBOOK-A5-DOTS',
    name: 'Notebook A5, dotted',
    description: 'Thread-sewn, lies flat, 192 numbered pages of 100 g paper that ink does not bleed through.',
    priceAmount: 1690,
    available: 150,
  },
  {
    sku: 'PENCIL-SET-6',
    name: 'Pencils, set of six',
    description: 'Cedar pencils in three grades, HB, B and 2B, two of each, in a box of grey board.',
    priceAmount: 950,
    available: 90,
  },
  {
    sku: 'TOTE-CANVAS',
    name: 'Canvas tote bag',
    description: 'Heavy organic cotton with an inner pocket and long handles. Carries a dozen mugs home.',
    priceAmount: 1990,
    available: 70,
  },
];
