import pg from 'pg';
import { runSql } from '../migrate/database.ts';

/** Advisory lock of who grants: two that change the rights on one table at the same moment would fail. */
const lockSql = 'SELECT pg_advisory_xact_lock(7060742612)';

/**
 * Lets a role read and write the rows of every table, and nothing else; of the history of migrations it may only read.
 * It is done at once, so that a service that runs meanwhile never lacks a right.
 *
 * @param databaseUrl of the role that owns the tables
 * @throws pg.DatabaseError when the role that is granted to does not exist
 */
export async function grantRows(databaseUrl: string, role: string): Promise<void> {
  const to = pg.escapeIdentifier(role);
  // Without values, several statements are one transaction.
  await runSql(
    databaseUrl,
    `${lockSql};
     GRANT USAGE ON SCHEMA public TO ${to};
     REVOKE ALL ON ALL TABLES IN SCHEMA public FROM ${to};
     GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO ${to};
     REVOKE INSERT, UPDATE, DELETE ON _prisma_migrations FROM ${to};
     GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO ${to}`,
  );
}
