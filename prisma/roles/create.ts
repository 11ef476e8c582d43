import pg from 'pg';
import { createDatabase, inTransaction, runSql } from '../migrate/database.ts';

/** Database of a service, as its two roles reach it. */
export interface RoledDatabase {
  readonly service: string;
  /** URL of the role that owns the database and changes its tables: `postgresql://role:password@host:port/database`. */
  readonly ownerUrl: string;
  /** URL of the role that the service's processes have. */
  readonly serviceUrl: string;
}

interface Login {
  readonly role: string;
  readonly password: string;
  readonly database: string;
}

/** Advisory lock of who makes roles: two that change one role at the same moment would fail. */
const lockSql = 'SELECT pg_advisory_xact_lock(7060742611)';
/** Databases of the server itself, into which PostgreSQL lets everybody. */
const serverDatabases = ['postgres', 'template1'];
const { escapeIdentifier: name, escapeLiteral: text } = pg;

/**
 * Creates the roles and databases of services, or changes them to what they should be: no role may enter another service's
 * database or the server's own, and only the owner changes tables. Several processes may call it at once.
 *
 * @param adminUrl of a superuser and the database `postgres`
 * @throws pg.DatabaseError when the role is no superuser
 * @throws Error when a service's URLs name no role and password, or two databases
 */
export async function createRoles(adminUrl: string, databases: readonly RoledDatabase[]): Promise<void> {
  const logins = databases.map(({ service, ownerUrl, serviceUrl }) => {
    const owner = loginOf(service, ownerUrl);
    const user = loginOf(service, serviceUrl);
    if (owner.database !== user.database)
      throw new Error(
        `${service}: its owner's database is '${owner.database}', its own is '${user.database}'; they must be the same`,
      );
    return { service, owner, user };
  });
  await inTransaction(adminUrl, lockSql, async () => {
    for (const database of serverDatabases)
      await runSql(adminUrl, `REVOKE ALL ON DATABASE ${name(database)} FROM PUBLIC`);
    for (const { service, owner, user } of logins) {
      for (const login of [owner, user]) await createRole(adminUrl, login);
      const databaseUrl = new URL(adminUrl);
      databaseUrl.pathname = `/${encodeURIComponent(owner.database)}`;
      await createDatabase(databaseUrl.href, service);
      await runSql(databaseUrl.href, restrictSql(owner, user));
    }
  });
}

function loginOf(service: string, databaseUrl: string): Login {
  const { username, password, pathname } = new URL(databaseUrl);
  if (!username || !password)
    throw new Error(
      `${service}: the URL of its database must name a role and a password, as postgresql://role:password@host/database`,
    );
  return {
    role: decodeURIComponent(username),
    password: decodeURIComponent(password),
    database: decodeURIComponent(pathname.slice(1)),
  };
}

async function createRole(adminUrl: string, { role, password }: Login): Promise<void> {
  const known = await runSql(adminUrl, 'SELECT FROM pg_roles WHERE rolname = $1', [role]);
  await runSql(
    adminUrl,
    `${known.length === 0 ? 'CREATE' : 'ALTER'} ROLE ${name(role)} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE
     NOREPLICATION NOBYPASSRLS PASSWORD ${text(password)}`,
  );
}

/** Tables and types that were made before there was an owner become the owner's. */
function restrictSql(owner: Login, user: Login): string {
  const database = name(owner.database);
  const ownerLiteral = text(name(owner.role));
  return `
    ALTER DATABASE ${database} OWNER TO ${name(owner.role)};
    REVOKE ALL ON DATABASE ${database} FROM PUBLIC, ${name(user.role)};
    GRANT CONNECT ON DATABASE ${database} TO ${name(user.role)};
    REVOKE CREATE ON SCHEMA public FROM PUBLIC, ${name(user.role)};
    DO $do$ DECLARE made record; BEGIN
      FOR made IN
        SELECT 'TABLE' AS kind, oid::regclass::text AS what FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
          AND relowner <> ${ownerLiteral}::regrole
        UNION ALL
        SELECT 'TYPE', oid::regtype::text FROM pg_type
        WHERE typnamespace = 'public'::regnamespace AND typtype IN ('e', 'd')
          AND typowner <> ${ownerLiteral}::regrole
      LOOP
        EXECUTE format('ALTER %s %s OWNER TO %I', made.kind, made.what, ${text(owner.role)});
      END LOOP;
    END $do$`;
}
