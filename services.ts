/**
 * Services of the shop, in the order in which commands treat them. Each has the folders `subgraphs/<name>/` and
 * `prisma/<name>/`, a database of its name, and a place in `docker-compose.yml`. On one machine their ports follow one
 * another in this order. `docs/write-a-subgraph.md` adds one.
 */
export const serviceNames = ['products', 'inventory', 'orders', 'notifications'] as const;

/** Name of a service of the shop. */
export type ServiceName = (typeof serviceNames)[number];

/** Environment variable that holds a service's database URL: `ORDERS_DATABASE_URL` for orders. */
export type DatabaseUrlVariable = `${Uppercase<ServiceName>}_DATABASE_URL`;

/** Names the environment variable of a service's database URL, `postgresql://user:password@host:port/database`. */
export function databaseUrlVariable(service: ServiceName): DatabaseUrlVariable {
  return `${service.toUpperCase() as Uppercase<ServiceName>}_DATABASE_URL`;
}
