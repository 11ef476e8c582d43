import type * as z from 'zod';

/** Settings of a part, by their names. */
export type SettingsShape = Readonly<Record<string, z.ZodType>>;

/** Writes the page of all settings, by the part that has them; each stands where it is met first. */
export function settingsDocument(parts: readonly (readonly [title: string, SettingsShape])[]): string {
  const seen = new Set<string>();
  return [
    '# Settings',
    '',
    'Environment variables, read once at the start; a process lists all that are wrong and ends. An empty one counts as unset. This page',
    "is written by `npm run codegen` from the processes' own definitions; [.env.example](../.env.example) has the same to copy.",
    ...parts.flatMap(([title, shape]) => section(title, shape, seen)),
    '',
  ].join('\n');
}

function section(title: string, shape: SettingsShape, seen: Set<string>): string[] {
  const own = Object.entries(shape).filter(([name]) => !seen.has(name));
  for (const [name] of own) seen.add(name);
  if (own.length === 0) return [];
  const rows = own.map(
    ([name, setting]) =>
      `| \`${name}\` | ${defaultOf(setting)} | ${(setting.description ?? '').replaceAll('|', '\\|')} |`,
  );
  return ['', `## ${title}`, '', '| setting | default | means |', '|---|---|---|', ...rows];
}

/** The default as it is written into an environment. */
function defaultOf(setting: z.ZodType): string {
  const { success, data } = setting.safeParse(undefined);
  if (!success) return 'required';
  if (data === undefined || (Array.isArray(data) && data.length === 0)) return '';
  const text = Array.isArray(data) ? data.join(',') : typeof data === 'string' ? data : JSON.stringify(data);
  return `\`${text}\``;
}
