/**
 * Why migrations cannot go on.
 * - `ahead`: the database has applied migrations that the folder does not have
 * - `diverged`: the same, and the folder has others that the database has not applied
 * - `edited`: a migration's file changed after it was applied
 * - `failed`: a migration stopped with an error, now or in an earlier run
 * - `missing`: there is no database, and the role may not create one
 * - `locked`: another process is migrating the database for too long
 * - `unreadable`: a folder of the history holds no migration
 */
export type MigrationErrorCode =
  | 'ahead'
  | 'diverged'
  | 'edited'
  | 'failed'
  | 'locked'
  | 'missing'
  | 'unreadable';

/** A database and its folder of migrations do not go together. The message names the service and the migrations. */
export class MigrationError extends Error {
  override name = 'MigrationError';
  readonly code: MigrationErrorCode;

  constructor(code: MigrationErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
