import type { ServiceClient } from '../../platform/service-client.ts';

/** Requests of inventory to the products service. */
export interface Catalogue {
  /** Tells whether there is a product with this sku. @throws PorticoError when products can't answer */
  has(sku: string): Promise<boolean>;
}

const operation = 'query ProductExists($sku: ID!) { product(sku: $sku) { sku } }';

/** Makes the catalogue over a client of the products service. */
export function createCatalogue(products: ServiceClient): Catalogue {
  return {
    async has(sku) {
      const { product } = await products.run<{ product: { sku: string } | null }>(operation, { sku });
      return product !== null;
    },
  };
}
