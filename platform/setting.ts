import { readFileSync } from 'node:fs';

/** An environment, as processes have it. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Names the variable that holds the path of a file with a setting's value, as the images of databases do. */
export function fileVariable(name: string): string {
  return `${name}_FILE`;
}

/**
 * Reads a setting from the environment: its own variable, or the text of the file that `<NAME>_FILE` names. Files keep
 * secrets out of what shows a process's environment. Line breaks at a file's end do not belong to the value.
 *
 * @returns undefined when neither is set; an empty variable counts as unset, as it does in a Compose file
 * @throws Error when both are set, and when the file cannot be read or is empty
 */
export function readSetting(name: string, env: Environment): string | undefined {
  const value = env[name] || undefined;
  const variable = fileVariable(name);
  const file = env[variable];
  if (!file) return value;
  if (value !== undefined) throw new Error(`${name} and ${variable} are both set; unset one of them`);

  const text = readText(file, variable).replace(/[\r\n]+$/, '');
  if (text === '') throw new Error(`${variable} names ${file}, which is empty; write the value into it`);
  return text;
}

function readText(file: string, variable: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new Error(`${variable} names ${file}, which cannot be read: ${code}`, { cause });
  }
}
