/** Section of the changes that no release has yet. */
const unreleased = 'Unreleased';

/** Facts of the release that notes are for. */
export interface Release {
  /** Such as `v1.2.3`. */
  readonly tag: string;
  /** Version in package.json. */
  readonly version: string;
  /** Address of the repository's files at the tag; relative links go there. Without it they stay as they are. */
  readonly filesUrl?: string | undefined;
}

/**
 * Takes the notes of a release out of the changelog, from the section whose heading begins with its version. Each paragraph
 * becomes one line, since a forge breaks lines where the text does.
 *
 * @throws Error with what to do when the tag is not that of the version, or the changelog has no notes for it
 */
export function releaseNotes(changelog: string, { tag, version, filesUrl }: Release): string {
  if (tag !== `v${version}`)
    throw new Error(
      `The tag is '${tag}', but package.json has the version ${version}, which is tagged v${version}; change one of them`,
    );
  const sections = changelog.split(/^## /m).slice(1);
  const headings = sections.map(section => section.split('\n', 1)[0] ?? '');
  const index = headings.findIndex(heading => heading.split(' ', 1)[0] === version);
  const section = sections[index];
  if (section === undefined)
    throw new Error(
      `CHANGELOG.md has no section '## ${version}', but ${headings.join(', ') || 'none'}; name the section '${unreleased}' so before the tag is made`,
    );
  const notes = section.slice(headings[index]?.length).trim();
  if (notes === '')
    throw new Error(`The section '## ${version}' of CHANGELOG.md is empty; say what has changed`);
  return `${linked(joinLines(notes), filesUrl)}\n`;
}

/** Joins the lines of each paragraph and of each item of a list. */
function joinLines(text: string): string {
  const joined: string[] = [];
  let isCode = false;
  for (const line of text.split('\n')) {
    const before = joined.at(-1);
    const begins = before === undefined || before === '' || /^(\s*[-*|#]|\s*\d+\. |\s*```|$)/.test(line);
    if (isCode || begins || /^(#|\||```)/.test(before)) joined.push(line);
    else joined[joined.length - 1] = `${before} ${line.trim()}`;
    if (line.trimStart().startsWith('```')) isCode = !isCode;
  }
  return joined.join('\n');
}

/** Lets relative links lead to the repository's files. */
function linked(text: string, filesUrl: string | undefined): string {
  if (filesUrl === undefined) return text;
  return text.replace(/\]\((?![a-z]+:|#)(?:\.\/)?([^)\s]+)\)/g, `](${filesUrl}/$1)`);
}
