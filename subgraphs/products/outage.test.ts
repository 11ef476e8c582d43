import { PrismaPg } from '@prisma/adapter-pg';
import pg from 'pg';
import { expect, onTestFinished, test, vi } from 'vitest';
import { createErrorFormatter } from '../../platform/graphql/error-format.ts';
import { silentLog } from '../../platform/log.ts';
import { startServiceDatabases } from '../../prisma/testing.ts';
import { PrismaClient } from './generated/prisma/client.ts';

vi.setConfig({ testTimeout: 60_000 });

const format = createErrorFormatter(silentLog);
const unavailable = {
  message: 'The service is unavailable for the moment; please try again',
  path: ['products'],
  extensions: { code: 'SERVICE_UNAVAILABLE' },
};

/** Error that a client gets of a resolver that fails with the reason of a promise. */
const toldOf = (result: Promise<unknown>) =>
  result.then(
    () => 'no error',
    error => format({ message: String(error), path: ['products'] }, error),
  );

/** A database, Prisma over a pool of one connection to it, and a connection that ends all others. */
async function start() {
  const databases = await startServiceDatabases('products');
  onTestFinished(() => databases.close());
  const connectionString = databases.urls.products;
  const pool = new pg.Pool({ connectionString, max: 1, connectionTimeoutMillis: 500, query_timeout: 500 });
  const operator = new pg.Client({ connectionString });
  pool.on('error', () => {});
  operator.on('error', () => {});
  pool.on('connect', connection => connection.on('error', () => {}));
  await operator.connect();
  return {
    databases,
    pool,
    prisma: new PrismaClient({ adapter: new PrismaPg(pool) }),
    async endConnections() {
      await operator.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()`,
      );
    },
  };
}

test('a client may try again what fails because the database is away', async () => {
  const { databases, pool, prisma, endConnections } = await start();
  expect(await prisma.product.findMany()).toEqual([]);

  expect(await toldOf(prisma.$queryRaw`SELECT 1 FROM pg_sleep(60)`)).toEqual(unavailable);

  const ended = prisma.$transaction(async tx => {
    await tx.product.findMany();
    await endConnections();
    await tx.product.findMany();
  });
  expect(await toldOf(ended)).toEqual(unavailable);

  const held = await pool.connect();
  expect(await toldOf(prisma.product.findMany())).toEqual(unavailable);
  expect(await toldOf(prisma.$transaction(tx => tx.product.findMany()))).toEqual(unavailable);
  held.release();

  await databases.close();
  expect(await toldOf(prisma.product.findMany())).toEqual(unavailable);
  expect(await toldOf(prisma.$transaction(tx => tx.product.findMany()))).toEqual(unavailable);
});

test('what the database refuses is a fault of ours', async () => {
  const { prisma } = await start();
  expect(await toldOf(prisma.$queryRaw`SELECT 1 / 0`)).toMatchObject({
    message: 'Internal server error',
    extensions: { code: 'INTERNAL_SERVER_ERROR' },
  });
});
