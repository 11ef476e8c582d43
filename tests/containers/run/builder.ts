import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, open, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findProgram } from '../../helpers/programs.ts';
import { readImage } from '../compose.ts';
import type { Engine } from './engine.ts';
import type { Registry } from './registry.ts';
import { standInBase } from './stand-ins.ts';

/** Image of the program that lists what is in an image, which BuildKit takes unless it is told another. */
const scannerImage = 'docker/buildkit-syft-scanner:stable-1';
const programs = {
  buildkitd: 'github.com/moby/buildkit/cmd/buildkitd',
  syft: 'github.com/anchore/syft/cmd/syft',
};

/** Reason why images for several platforms cannot be built here; undefined where they can. */
export function missingForPlatforms(): string | undefined {
  const missing = Object.entries(programs).filter(([name]) => !findProgram(name));
  if (missing.length === 0) return undefined;
  return `${missing.map(([name]) => name).join(' and ')} not on the path (go install ${missing.map(([, path]) => path).join(' ')})`;
}

/** BuildKit, which builds for several platforms. */
export interface Builder {
  /** Leads `docker buildx` to it. */
  readonly env: Readonly<Record<string, string>>;
  /** Forgets all that it has built. */
  forget(): Promise<void>;
  close(): Promise<void>;
}

/** Starts BuildKit. It takes the stand-ins, which are images of the engine, from the registry, as if they came from elsewhere. */
export async function startBuilder(engine: Engine, registry: Registry, folder: string): Promise<Builder> {
  await mkdir(folder, { recursive: true });
  await pushStandIns(engine, registry, folder);
  const socket = `unix://${join(folder, 'buildkitd.sock')}`;
  const config = join(folder, 'buildkitd.toml');
  const mirrored = ['docker.io', 'gcr.io'].map(
    host => `[registry."${host}"]\nmirrors = ["${registry.address}"]\n`,
  );
  await writeFile(config, `${mirrored.join('')}[registry."${registry.address}"]\nhttp = true\n`);
  const log = await open(join(folder, 'buildkitd.log'), 'w');
  const daemon = ['buildkitd', '--config', config, '--root', join(folder, 'data'), '--addr', socket];
  // It ends itself when the tests are killed.
  const child = spawn('setpriv', ['--pdeathsig', 'TERM', ...daemon], { stdio: ['ignore', log.fd, log.fd] });
  const exited = once(child, 'exit');
  const { docker } = engine;
  const name = 'portico-platforms';
  await docker(['buildx', 'create', '--name', name, '--driver', 'remote', '--bootstrap', socket]);
  return {
    env: { ...engine.env, BUILDX_BUILDER: name },
    async forget() {
      await docker(['buildx', 'prune', '--builder', name, '--all', '--force']);
    },
    async close() {
      await docker(['buildx', 'rm', '--keep-daemon', name]);
      child.kill('SIGTERM');
      await exited;
      await log.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Pushes the bases of the images for both platforms: nothing of them runs on the second, so that it needs no programs. */
async function pushStandIns({ docker }: Engine, { address }: Registry, folder: string): Promise<void> {
  const context = join(folder, 'context');
  await mkdir(context);
  await writeFile(join(context, 'Dockerfile'), 'FROM scratch\nCOPY Dockerfile /\n');
  const { baseImage, distrolessImage } = await readImage('front');
  // A registry that stands for another has its images under their paths there.
  const pathByImage = {
    [baseImage]: `library/${baseImage}`,
    [distrolessImage]: distrolessImage.slice(distrolessImage.indexOf('/') + 1),
  };
  const forArm = ['build', '--quiet', '--platform', 'linux/arm64', '--provenance=false'];
  for (const [image, path] of Object.entries(pathByImage)) {
    const name = `${address}/${path}`;
    await docker(['tag', image, `${name}-amd64`]);
    await docker([...forArm, '--tag', `${name}-arm64`, context]);
    for (const platform of ['amd64', 'arm64']) await docker(['push', '--quiet', `${name}-${platform}`]);
    await docker(['buildx', 'imagetools', 'create', '--tag', name, `${name}-amd64`, `${name}-arm64`]);
  }
  await cp(findProgram('syft') ?? '', join(context, 'syft'));
  await cp(join(import.meta.dirname, 'stand-ins', 'scan.sh'), join(context, 'scan.sh'));
  await writeFile(
    join(context, 'Dockerfile'),
    `FROM ${standInBase}\nCOPY syft /usr/local/bin/\nCOPY scan.sh /\nENTRYPOINT ["sh", "/scan.sh"]\n`,
  );
  const scanner = `${address}/${scannerImage}`;
  await docker(['build', '--quiet', '--tag', scanner, context]);
  await docker(['push', '--quiet', scanner]);
}
