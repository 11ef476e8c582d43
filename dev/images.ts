import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { messageOf } from '../platform/errors.ts';
import { bakeCommand, type Command, type ImageFacts, shellLine, sourceOf } from './bake.ts';
import { rootDir } from './settings.ts';

const usage = `usage: npm run images -- [options] [target ...]
  --push              for every platform, with attestations, to the registry; otherwise for this machine, into Docker
  --registry <path>   before the names of the images, such as registry.example.org/team
  --tag <tag>         beside the version and the commit, any number of times; latest when there is none
  --metadata <file>   gets the digest of each image, as JSON by target
  --dry-run           only print the command
Targets are front, shop, front-distroless and shop-distroless; all of them when there is none.`;

const run = promisify(execFile);

async function git(...args: string[]): Promise<string> {
  const { stdout } = await run('git', args, { cwd: rootDir });
  return stdout.trim();
}

/** Reads what the images are labelled with. @throws Error outside a clone of the repository */
async function readFacts(): Promise<ImageFacts> {
  const { version } = JSON.parse(await readFile(join(rootDir, 'package.json'), 'utf8')) as {
    version: string;
  };
  const revision = await git('rev-parse', 'HEAD').catch(cause => {
    throw new Error(`Images are named by their commit, and git tells none: ${messageOf(cause)}`, { cause });
  });
  const remoteUrl = await git('remote', 'get-url', 'origin').catch(() => '');
  return {
    version,
    revision,
    epochSeconds: Number(process.env['SOURCE_DATE_EPOCH'] || (await git('log', '-1', '--format=%ct'))),
    source: process.env['SOURCE'] || sourceOf(remoteUrl),
    isDirty: (await git('status', '--porcelain')) !== '',
  };
}

/** @throws Error with what to install, or to start */
async function assertDocker(): Promise<void> {
  await run('docker', ['--version']).catch(cause => {
    throw new Error(
      'Images are built by Docker, which is not installed: https://docs.docker.com/engine/install/',
      {
        cause,
      },
    );
  });
  await run('docker', ['buildx', 'version']).catch(cause => {
    throw new Error(
      "Images are built by Docker's plugin buildx, which is not installed: https://docs.docker.com/build/install-buildx/",
      { cause },
    );
  });
}

async function execute({ program, args, env }: Command): Promise<number> {
  const child = spawn(program, args, { cwd: rootDir, env: { ...process.env, ...env }, stdio: 'inherit' });
  const [code] = (await once(child, 'exit')) as [number | null];
  return code ?? 1;
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      push: { type: 'boolean', default: false },
      registry: { type: 'string', default: '' },
      tag: { type: 'string', multiple: true, default: [] },
      metadata: { type: 'string' },
      'dry-run': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(usage);
    return 0;
  }
  const { push, registry, tag: tags, metadata: metadataFile } = values;
  const options = { push, registry, tags, targets: positionals, metadataFile };
  const command = bakeCommand(await readFacts(), options);
  if (values['dry-run']) {
    console.log(shellLine(command));
    return 0;
  }
  await assertDocker();
  return await execute(command);
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(`${messageOf(error)}\n\n${usage}`);
  process.exitCode = 1;
}
