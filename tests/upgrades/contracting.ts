/** Comment by which a migration says that the version before it no longer runs, and why: `-- contract: <reason>`. */
const contractComment = /^[ \t]*--[ \t]*contract:[ \t]*\S/m;

/** Comments, texts and bodies of functions: nothing in them is a statement of the migration. */
const noStatement = /--[^\n]*|\/\*[\s\S]*?\*\/|'(?:[^']|'')*'|(\$\w*\$)[\s\S]*?\1/g;

interface Rule {
  readonly what: string;
  /** Finds the reason in one statement, given the whole migration. */
  readonly breaks: (statement: string, migration: string) => boolean;
}

/** Changes that code of the version before cannot live with. */
const rules: readonly Rule[] = [
  { what: 'drops a table, column, type, view or schema', breaks: s => dropped.test(s) },
  { what: 'drops a default', breaks: s => /\bDROP\s+DEFAULT\b/i.test(s) },
  { what: 'renames something', breaks: s => /^ALTER\b[\s\S]*\bRENAME\b/i.test(s) },
  {
    what: 'changes the type of a column',
    breaks: s => /\bALTER\b[\s\S]*?\b(SET\s+DATA\s+)?TYPE\s/i.test(columnsOf(s)),
  },
  { what: 'demands a value of a column without a default', breaks: demandsValue },
];

const dropped =
  /^(DROP\s+(TABLE|TYPE|VIEW|SCHEMA)\b|ALTER\s+TABLE\b[\s\S]*\bDROP\s+(?!CONSTRAINT\b|DEFAULT\b|NOT\b|EXPRESSION\b|IDENTITY\b))/i;
const setsNotNull = /\bALTER\s+(?:COLUMN\s+)?("?\w+"?)\s+SET\s+NOT\s+NULL\b/gi;

/** The statement if it changes columns; `ALTER TYPE … ADD VALUE` is none. */
function columnsOf(statement: string): string {
  return /^ALTER\s+TABLE\b/i.test(statement) ? statement.replace(/^ALTER\s+TABLE\b/i, '') : '';
}

function demandsValue(statement: string, migration: string): boolean {
  const added = statement
    .split(/,(?![^(]*\))/)
    .some(
      part =>
        /\bADD\s+(?!CONSTRAINT)[\s\S]*\bNOT\s+NULL\b/i.test(part) && !/\b(DEFAULT|GENERATED)\b/i.test(part),
    );
  const tightened = [...statement.matchAll(setsNotNull)].some(
    ([, column]) =>
      !new RegExp(`\\bALTER\\s+(COLUMN\\s+)?${column}\\s+SET\\s+DEFAULT\\b`, 'i').test(migration),
  );
  return /^ALTER\s+TABLE\b/i.test(statement) && (added || tightened);
}

/**
 * Finds the statements of a migration that code of the version before cannot live with, unless the migration says that
 * it contracts.
 *
 * @returns `<what it does>: <the statement>` for each
 */
export function findContracting(sql: string): string[] {
  if (contractComment.test(sql)) return [];
  // A text stays a text, so that what stands around it keeps its meaning.
  const migration = sql.replace(noStatement, text =>
    text.startsWith("'") || text.startsWith('$') ? "''" : ' ',
  );
  return migration
    .split(';')
    .map(statement => statement.trim().replace(/\s+/g, ' '))
    .flatMap(statement =>
      rules.filter(({ breaks }) => breaks(statement, migration)).map(({ what }) => `${what}: ${statement}`),
    );
}
