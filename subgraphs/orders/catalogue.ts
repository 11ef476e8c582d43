import type { ServiceClient } from '../../platform/service-client.ts';

/** Price of one piece of a product. */
export interface Price {
  /** In the currency's minor unit. */
  readonly amount: number;
  readonly currency: string;
}

/** Requests of orders to the products service. */
export interface Catalogue {
  /** The price of each sku, in the skus' order; null for an unknown sku. @throws PorticoError when products can't answer */
  prices(skus: readonly string[]): Promise<(Price | null)[]>;
}

/** By the entity resolver that every federated subgraph has, so that products needs no field of its own for this. */
const operation = `query Prices($representations: [_Any!]!) {
  _entities(representations: $representations) { ... on Product { price { amount currency } } }
}`;

/** Makes the catalogue over a client of the products service. */
export function createCatalogue(products: ServiceClient): Catalogue {
  return {
    async prices(skus) {
      const { _entities } = await products.run<{ _entities: ({ price: Price } | null)[] }>(operation, {
        representations: skus.map(sku => ({ __typename: 'Product', sku })),
      });
      return _entities.map(product => product?.price ?? null);
    },
  };
}
