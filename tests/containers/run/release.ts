import { execFile } from 'node:child_process';
import { appendFile, readFile, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { rootDir } from '../../../dev/settings.ts';
import type { Builder } from './builder.ts';
import type { Descriptor, Registry } from './registry.ts';

const run = promisify(execFile);

/** A clone of the last commit. */
export interface Release {
  readonly folder: string;
  readonly version: string;
  readonly revision: string;
  /** Time of the commit. */
  readonly createdAt: string;
}

/** Clones the repository into a folder that there is not. */
export async function cloneRelease(folder: string): Promise<Release> {
  await run('git', ['clone', '--quiet', rootDir, folder]);
  await symlink(join(rootDir, 'node_modules'), join(folder, 'node_modules'));
  await appendFile(join(folder, '.git', 'info', 'exclude'), 'node_modules\n');
  const { version } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as { version: string };
  const { stdout } = await run('git', ['log', '-1', '--format=%H %ct'], { cwd: folder });
  const [revision = '', seconds = ''] = stdout.trim().split(' ');
  const createdAt = new Date(Number(seconds) * 1_000).toISOString().replace('.000', '');
  return { folder, version, revision, createdAt };
}

/** Builds all images of a release, and pushes them with the tag `next`. */
export async function pushRelease({ folder }: Release, builder: Builder, registry: Registry): Promise<void> {
  const push = ['--push', '--registry', `${registry.address}/team`, '--tag', 'next'];
  await run(process.execPath, ['--import', 'tsx', 'dev/images.ts', ...push], {
    cwd: folder,
    env: { ...process.env, ...builder.env },
    maxBuffer: 64 * 1024 * 1024,
  });
}

/** An image for one platform. */
export interface PlatformImage {
  readonly digest: string;
  readonly layers: readonly Descriptor[];
  readonly config: { readonly created: string; readonly config: { readonly Labels: Record<string, string> } };
}

/** Reads the images of a tag, in the order of their platforms. */
export async function imagesOf(registry: Registry, image: string, tag: string): Promise<PlatformImage[]> {
  const { content } = await registry.manifest(image, tag);
  const descriptors = (content.manifests ?? []).filter(({ platform }) => platform?.os === 'linux');
  return await Promise.all(
    descriptors.map(async ({ digest }) => {
      const { config, layers = [] } = (await registry.manifest(image, digest)).content;
      const content = (await registry.blob(image, config?.digest ?? '')) as PlatformImage['config'];
      return { digest, layers, config: content };
    }),
  );
}

/** What is attested of an image: its packages, as SPDX has them, and how it was built, as SLSA has it. */
export interface Attestations {
  readonly sbom: { readonly packages: readonly { readonly name: string }[] };
  readonly provenance: unknown;
}

/**
 * Reads what is attested of the images of a tag, in the order of their platforms.
 *
 * @see https://docs.docker.com/build/metadata/attestations/attestation-storage/
 */
export async function attestationsOf(
  registry: Registry,
  image: string,
  tag: string,
): Promise<Attestations[]> {
  const { content } = await registry.manifest(image, tag);
  const descriptors = (content.manifests ?? []).filter(
    ({ annotations }) => annotations?.['vnd.docker.reference.type'] === 'attestation-manifest',
  );
  return await Promise.all(
    descriptors.map(async ({ digest }) => {
      const { layers = [] } = (await registry.manifest(image, digest)).content;
      const read = async (type: string) => {
        const layer = layers.find(({ annotations }) =>
          annotations?.['in-toto.io/predicate-type']?.startsWith(type),
        );
        if (!layer) throw new Error(`Nothing of ${type} is attested of ${image}@${digest}`);
        return ((await registry.blob(image, layer.digest)) as { predicate: unknown }).predicate;
      };
      return {
        sbom: (await read('https://spdx.dev/')) as Attestations['sbom'],
        provenance: await read('https://slsa.dev/provenance/'),
      };
    }),
  );
}
