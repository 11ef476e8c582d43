import { PrismaPg } from '@prisma/adapter-pg';
import {
  ColumnTypeEnum,
  DriverAdapterError,
  type SqlDriverAdapter,
  type SqlQuery,
  type SqlResultSet,
} from '@prisma/driver-adapter-utils';
import pg from 'pg';
import { connectTimeoutMs } from '../migrate/database.ts';

const { builtins } = pg.types;

/**
 * Connects the schema engine to a database through `@prisma/adapter-pg`, and works around two of its faults here;
 * the third is in `shadow.ts`.
 *
 * @param databaseUrl `postgresql://user:password@host:port/database`
 * @param onDisposed runs after the connection was closed. @default nothing is done
 */
export async function connectAdapter(
  databaseUrl: string,
  onDisposed: () => Promise<void> = async () => {},
): Promise<SqlDriverAdapter> {
  const pool = new pg.Pool({
    connectionString: databaseUrl,
    connectionTimeoutMillis: connectTimeoutMs,
    // The engine's advisory lock belongs to a session: everything has to happen in that one, which must not time out.
    max: 1,
    idleTimeoutMillis: 0,
  });
  const characterColumnsByRows = disguiseCharacterColumns(pool);
  const adapter = await new PrismaPg(pool, { disposeExternalPool: true }).connect();
  const queryRaw = adapter.queryRaw.bind(adapter);
  const disconnect = adapter.dispose.bind(adapter);
  let disposing: Promise<void> | undefined;
  return Object.assign(adapter, {
    queryRaw: async (query: SqlQuery) => labelCharacterColumns(await queryRaw(query), characterColumnsByRows),
    executeScript: (script: string) => executeScript(pool, script),
    dispose: () => {
      disposing ??= disconnect().then(onDisposed);
      return disposing;
    },
  });
}

/** Results of one query, or of several in one script. */
type QueryResults = pg.QueryArrayResult | pg.QueryArrayResult[];

/** For each result, by the array that holds its rows: the indexes of the columns of type "char". */
type CharacterColumnsByRows = WeakMap<object, number[]>;

/**
 * Fault 1: adapter-pg refuses any result with a column of the catalogue's type "char", and the engine reads such columns
 * of foreign keys and sequences. On its way into the adapter such a column is called text, and on its way out it gets
 * the label that the engine expects.
 */
function disguiseCharacterColumns(pool: pg.Pool): CharacterColumnsByRows {
  const characterColumnsByRows: CharacterColumnsByRows = new WeakMap();
  const query = pool.query.bind(pool) as (...args: unknown[]) => Promise<QueryResults>;
  pool.query = (async (...args: unknown[]) => {
    const results = await query(...args);
    for (const { fields, rows } of [results].flat()) {
      const characterFields = fields.filter(field => field.dataTypeID === builtins.CHAR);
      characterColumnsByRows.set(
        rows,
        characterFields.map(field => fields.indexOf(field)),
      );
      for (const field of characterFields) field.dataTypeID = builtins.TEXT;
    }
    return results;
  }) as typeof pool.query;
  return characterColumnsByRows;
}

function labelCharacterColumns(result: SqlResultSet, columnsByRows: CharacterColumnsByRows): SqlResultSet {
  for (const index of columnsByRows.get(result.rows) ?? [])
    result.columnTypes[index] = ColumnTypeEnum.Character;

  return result;
}

/**
 * Fault 2: adapter-pg splits a script at every semicolon, those in comments and in $$ bodies too. Sent whole, as one
 * simple query, PostgreSQL splits it, and runs it in one implicit transaction.
 *
 * @throws DriverAdapterError with PostgreSQL's own words and the number of the line
 */
async function executeScript(pool: pg.Pool, script: string): Promise<void> {
  try {
    await pool.query(script);
  } catch (error) {
    if (!(error instanceof pg.DatabaseError)) throw error;

    const { code, severity, message, detail, column, hint, position } = error;
    const line = position === undefined ? '' : `, line ${countLines(script.slice(0, Number(position)))}`;
    throw new DriverAdapterError({
      kind: 'postgres',
      // The engine would replace the message of a code that it knows by a shorter one.
      code: 'N/A',
      ...(code === undefined ? {} : { originalCode: code }),
      severity: severity ?? 'ERROR',
      message: `${message} (SQLSTATE ${code})${line}`,
      detail,
      column,
      hint,
    });
  }
}

function countLines(text: string): number {
  return text.split('\n').length;
}
