import { execFile } from 'node:child_process';
import { chmod, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { bakeCommand, type ImageFacts, type ImageOptions, shellLine, sourceOf } from './bake.ts';
import { rootDir } from './settings.ts';

vi.setConfig({ testTimeout: 60_000 });

const facts: ImageFacts = {
  version: '1.2.3',
  revision: 'abc123',
  epochSeconds: 1_700_000_000,
  source: 'https://example.org/portico',
  isDirty: false,
};
const options: ImageOptions = { push: false, registry: '', tags: [], targets: [] };

describe('bakeCommand', () => {
  test('builds for this machine, and labels by the commit', () => {
    const { program, args, env } = bakeCommand(facts, options);
    expect([program, ...args].join(' ')).toBe('docker buildx bake --file docker-bake.hcl --load');
    expect(env).toEqual({
      REGISTRY: '',
      VERSION: '1.2.3',
      REVISION: 'abc123',
      CREATED: '2023-11-14T22:13:20Z',
      SOURCE: 'https://example.org/portico',
      TAGS: 'latest',
      LOCAL: 'true',
      SOURCE_DATE_EPOCH: '1700000000',
    });
  });

  test('pushes what is wished for to the registry', () => {
    const pushed = { push: true, registry: 'localhost:5000/team', tags: ['1.2', 'next'], targets: ['front'] };
    const { args, env } = bakeCommand(facts, { ...pushed, metadataFile: '/tmp/images.json' });
    expect(args.slice(-4)).toEqual(['--push', '--metadata-file', '/tmp/images.json', 'front']);
    expect(env).toMatchObject({ REGISTRY: 'localhost:5000/team', TAGS: '1.2,next', LOCAL: 'false' });
  });

  test.each<[Partial<ImageOptions & ImageFacts>, string]>([
    [{ push: true }, 'Images are pushed to a registry, and none is named; add --registry'],
    [{ tags: ['a b'] }, "'a b' is no tag"],
    [{ registry: 'https://example.org' }, "'https://example.org' is no registry; write it as"],
    [{ push: true, registry: 'example.org', isDirty: true }, 'Files differ from the commit abc123'],
  ])('refuses %j', (wrong, message) => {
    expect(() => bakeCommand({ ...facts, ...wrong }, { ...options, ...wrong })).toThrow(message);
  });

  test('names images of changed files so, as long as they stay here', () => {
    expect(bakeCommand({ ...facts, isDirty: true }, options).env['REVISION']).toBe('abc123-dirty');
  });
});

test('a command is shown as a shell takes it', () => {
  const command = { program: 'docker', args: ['build', "it's here"], env: { TAGS: 'a,b', SOURCE: '' } };
  expect(shellLine(command)).toBe(`TAGS=a,b SOURCE='' docker build 'it'\\''s here'`);
});

test.each([
  ['https://ada:secret@example.org/portico.git', 'https://example.org/portico'],
  ['/somewhere/portico', ''],
  ['git@example.org:portico.git', ''],
  ['file:///somewhere/portico', ''],
])('the source of %s is %j', (remote, source) => expect(sourceOf(remote)).toBe(source));

describe('npm run images', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'portico-test-'));
    const { stdout } = await runIn(process.env['PATH'] ?? '', 'sh', ['-c', 'command -v git']);
    await symlink(stdout.trim(), join(folder, 'git'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  /** Runs a program with nothing but these folders in its path. */
  function runIn(path: string, program: string, args: readonly string[]) {
    return new Promise<{ code: unknown; stdout: string; stderr: string }>(resolve => {
      const env = { ...process.env, PATH: path };
      execFile(program, args, { cwd: rootDir, env }, (error, stdout, stderr) =>
        resolve({ code: error?.code ?? 0, stdout, stderr }),
      );
    });
  }
  const images = (...args: string[]) =>
    runIn(folder, process.execPath, ['--import', 'tsx', 'dev/images.ts', ...args]);

  test('says what to install where there is no Docker, and no buildx', async () => {
    const { code, stderr } = await images();
    expect(code).toBe(1);
    expect(stderr).toContain('Images are built by Docker, which is not installed');
    const docker = join(folder, 'docker');
    await writeFile(docker, `#!/bin/sh\n[ "$1" = --version ]\n`);
    await chmod(docker, 0o755);
    expect((await images()).stderr).toContain("Docker's plugin buildx, which is not installed");
    await rm(docker);
  });

  test('prints the command, without Docker', async () => {
    const { code, stdout } = await images('--dry-run', '--tag', 'next', 'shop');
    expect(code).toBe(0);
    expect(stdout).toMatch(
      / TAGS=next LOCAL=true .* docker buildx bake --file docker-bake.hcl --load shop\n$/,
    );
    expect(stdout).toMatch(/ REVISION=[0-9a-f]{40}/);
  });

  test('refuses an option that it does not know, and tells those that it does', async () => {
    const { code, stderr } = await images('--publish');
    expect(code).toBe(1);
    expect(stderr).toContain("Unknown option '--publish'");
    expect(stderr).toContain('--registry <path>');
  });
});
