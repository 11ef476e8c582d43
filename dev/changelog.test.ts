import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { releaseNotes } from './changelog.ts';
import { rootDir } from './settings.ts';

const changelog = `# Changelog

## Unreleased

- What is not there yet.

## 1.2.0 (2026-11-28)

**Gateway.** One line,
and the next ([docs](docs/gateway.md#tls), [spec](https://example.org/a), [here](#house)).

- First item,
  in two lines.
- Second item.

\`\`\`sh
npm install
npm start
\`\`\`

### House
A paragraph.

## 1.1.0

- Old.

## 1.0.0
`;

describe('the notes of a release', () => {
  test('are its section of the changelog, with a line for each paragraph and links to its files', () => {
    const filesUrl = 'https://forge.example.org/portico/blob/v1.2.0';
    expect(
      releaseNotes(changelog, { tag: 'v1.2.0', version: '1.2.0', filesUrl }),
    ).toBe(`**Gateway.** One line, and the next ([docs](${filesUrl}/docs/gateway.md#tls), [spec](https://example.org/a), [here](#house)).

- First item, in two lines.
- Second item.

\`\`\`sh
npm install
npm start
\`\`\`

### House
A paragraph.
`);
  });

  test('end where the next section begins', () => {
    expect(releaseNotes(changelog, { tag: 'v1.1.0', version: '1.1.0' })).toBe('- Old.\n');
  });

  test.each([
    [
      'v1.2.0',
      '1.3.0',
      "The tag is 'v1.2.0', but package.json has the version 1.3.0, which is tagged v1.3.0",
    ],
    ['1.2.0', '1.2.0', "The tag is '1.2.0', but package.json has the version 1.2.0, which is tagged v1.2.0"],
    [
      'v1.2',
      '1.2',
      "has no section '## 1.2', but Unreleased, 1.2.0 (2026-11-28), 1.1.0, 1.0.0; name the section 'Unreleased' so",
    ],
    ['v1.0.0', '1.0.0', "The section '## 1.0.0' of CHANGELOG.md is empty"],
  ])('are refused for the tag %s of the version %s', (tag, version, message) => {
    expect(() => releaseNotes(changelog, { tag, version })).toThrow(message);
  });

  test('can be taken out of the changelog that there is, once its section has the version', async () => {
    const { version } = JSON.parse(await readFile(join(rootDir, 'package.json'), 'utf8')) as {
      version: string;
    };
    const text = await readFile(join(rootDir, 'CHANGELOG.md'), 'utf8');
    const released = text.replace(/^## Unreleased$/m, `## ${version}`);
    expect(releaseNotes(released, { tag: `v${version}`, version })).toMatch(/^- .{20}/m);
  });
});

test('the command says what is wrong with a tag, and fails', async () => {
  const command = promisify(execFile)(
    process.execPath,
    ['--import', 'tsx', 'dev/release-notes.ts', 'v0.0.0'],
    { cwd: rootDir },
  );
  await expect(command).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^The tag is 'v0\.0\.0', but package\.json has .*\n\nusage: /),
  });
});
