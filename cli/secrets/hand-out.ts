import { randomBytes } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { replaceFile } from '../../platform/whole-file.ts';

/** File that a consumer gets, and the text that it is made of: `{SECRET}` stands for a secret. */
interface Gift {
  readonly file: string;
  readonly text: string;
}

/** Options of {@link handOut}. */
export interface HandOutOptions {
  /** Has a folder for each consumer. */
  readonly folder: string;
  /** Folder of the secrets themselves, a file each. */
  readonly keptDir: string;
  /**
   * `<consumer>/<SECRET>` for a secret as it is, `<consumer>/<file>=<text>` for a text with secrets in it, such as
   * `orders/DATABASE_URL=postgresql://orders:{ORDERS_PASSWORD}@host/orders`.
   */
  readonly gifts: readonly string[];
  /** Secrets that are given, by their names; others are made. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

const giftPattern = /^(?<consumer>[a-z][\w-]*)\/(?<name>[A-Z][A-Z0-9_]*)(?:=(?<text>.+))?$/s;
const placeholder = /\{([A-Z][A-Z0-9_]*)\}/g;
const secretBytes = 32;

/**
 * Writes to each consumer the secrets that it is to have. A secret that the environment gives wins over the one that is
 * kept; one that is in neither place is made: 64 hexadecimal digits. Within a longer text, secrets are escaped for a URL.
 *
 * @returns the names of the secrets that were made
 * @throws Error when a gift is not written as it has to be
 */
export async function handOut({
  folder,
  keptDir,
  gifts,
  env,
}: HandOutOptions): Promise<{ made: readonly string[] }> {
  const parsed = gifts.map(parseGift);
  const names = new Set(
    parsed.flatMap(({ text }) => [...text.matchAll(placeholder)].map(([, name = '']) => name)),
  );
  const secrets = new Map<string, string>();
  const made: string[] = [];
  // Nobody but the account that keeps them.
  await mkdir(keptDir, { recursive: true, mode: 0o700 });
  for (const name of names) {
    const given = env[name] || (await readSecret(keptDir, name).catch(undefinedIfMissing));
    if (given === undefined) made.push(name);
    const secret = given ?? randomBytes(secretBytes).toString('hex');
    await replaceFile(join(keptDir, name), secret, 0o600);
    secrets.set(name, secret);
  }
  for (const { file, text } of parsed) {
    const isWhole = /^\{[A-Z0-9_]+\}$/.test(text);
    const filled = text.replace(placeholder, (_all, name: string) => {
      const secret = secrets.get(name) ?? '';
      return isWhole ? secret : encodeURIComponent(secret);
    });
    // Whoever has the folder may read it: consumers run as different users.
    await mkdir(join(folder, dirname(file)), { recursive: true });
    await replaceFile(join(folder, file), filled, 0o444);
  }
  return { made };
}

/** Reads a secret that is kept. @throws Error when there is none of the name */
export async function readSecret(keptDir: string, name: string): Promise<string> {
  try {
    return await readFile(join(keptDir, name), 'utf8');
  } catch (cause) {
    throw new Error(`There is no secret '${name}' in ${keptDir}: ${(cause as NodeJS.ErrnoException).code}`, {
      cause,
    });
  }
}

/** Only a secret that is not there is made: one that cannot be read must not be replaced. */
function undefinedIfMissing(error: Error): undefined {
  if ((error.cause as NodeJS.ErrnoException | undefined)?.code !== 'ENOENT') throw error;
}

function parseGift(gift: string): Gift {
  const { consumer, name, text = `{${name}}` } = giftPattern.exec(gift)?.groups ?? {};
  if (consumer === undefined)
    throw new Error(
      `'${gift}' is no gift; write it as orders/CALLER_SECRET or orders/DATABASE_URL=text with {SECRET}`,
    );
  return { file: `${consumer}/${name}`, text };
}
