import { PrismaPg } from '@prisma/adapter-pg';
import type { Pool } from 'pg';
import type { PageRequest } from '../../platform/graphql/connection.ts';
import { prepare } from '../../platform/statement.ts';
import { Prisma, PrismaClient } from './generated/prisma/client.ts';

/** A product as the database has it. */
export type ProductRow = Pick<
  Prisma.ProductModel,
  'sku' | 'name' | 'description' | 'priceAmount' | 'priceCurrency'
>;

/** Fields to change; undefined ones stay. */
export type ProductChange = { readonly [K in keyof Omit<ProductRow, 'sku'>]?: ProductRow[K] | undefined };

/** The catalogue in its database. */
export interface ProductStore {
  /** The product of each sku, in the skus' order; null where there is none. */
  findMany(skus: readonly string[]): Promise<(ProductRow | null)[]>;
  /** A page in order of sku, with one row more than asked for when there is a next page. */
  page(page: PageRequest, search: string | undefined): Promise<ProductRow[]>;
  /** The new product; undefined when the sku is taken. */
  create(product: ProductRow): Promise<ProductRow | undefined>;
  /** The changed product; undefined when there is none with this sku. */
  update(sku: string, change: ProductChange): Promise<ProductRow | undefined>;
}

/** Prisma's codes, https://www.prisma.io/docs/orm/reference/error-reference */
const uniqueViolation = 'P2002';
const recordNotFound = 'P2025';

const selectMany = prepare<ProductRow, [skus: readonly string[]]>(`
  SELECT sku, name, description, price_amount AS "priceAmount", price_currency AS "priceCurrency"
  FROM products WHERE sku = ANY($1)`);

/** Makes the store of the catalogue: what every order needs is SQL of our own, the rest is Prisma's. */
export function createProductStore(pool: Pool): ProductStore {
  const prisma = new PrismaClient({ adapter: new PrismaPg(pool) });
  return {
    async findMany(skus) {
      const rows = await selectMany(pool, [skus]);
      const rowsBySku = new Map(rows.map(row => [row.sku, row]));
      return skus.map(sku => rowsBySku.get(sku) ?? null);
    },
    page({ first, afterKey }, search) {
      const contains = search ? { contains: escapeLike(search), mode: 'insensitive' as const } : undefined;
      return prisma.product.findMany({
        where: {
          ...(contains ? { OR: [{ name: contains }, { description: contains }] } : {}),
          ...(afterKey === undefined ? {} : { sku: { gt: afterKey } }),
        },
        orderBy: { sku: 'asc' },
        take: first + 1,
      });
    },
    create(product) {
      return unlessCode(uniqueViolation, prisma.product.create({ data: product }));
    },
    update(sku, change) {
      return unlessCode(
        recordNotFound,
        prisma.product.update({
          where: { sku },
          data: Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined)),
        }),
      );
    },
  };
}

/** Prisma passes LIKE's wildcards through. */
function escapeLike(text: string): string {
  return text.replace(/[\\%_]/g, '\\$&');
}

async function unlessCode<T>(code: string, result: Promise<T>): Promise<T | undefined> {
  try {
    return await result;
  } catch (error) {
    if (error instanceof Prisma.PrismaClientKnownRequestError && error.code === code) return undefined;
    throw error;
  }
}
