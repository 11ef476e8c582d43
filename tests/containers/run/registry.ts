import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { vi } from 'vitest';
import { freePort } from '../../../platform/free-port.ts';

const ociTypes = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.docker.distribution.manifest.v2+json',
];

/** What a registry has for one platform, or about one. */
export interface Descriptor {
  readonly digest: string;
  readonly platform?: { readonly os: string; readonly architecture: string };
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Index of the images of several platforms, or manifest of one image, as the OCI image specification describes them. */
export interface ImageManifest {
  readonly manifests?: readonly Descriptor[];
  readonly config?: Descriptor;
  readonly layers?: readonly Descriptor[];
}

/** A registry of images on this machine. */
export interface Registry {
  /** Its host and port. */
  readonly address: string;
  /** @param reference tag or digest */
  manifest(
    image: string,
    reference: string,
  ): Promise<{ readonly digest: string; readonly content: ImageManifest }>;
  /** Reads a blob that is JSON. */
  blob(image: string, digest: string): Promise<unknown>;
  close(): Promise<void>;
}

/** Starts Debian's docker-registry, which keeps images in a folder. */
export async function startRegistry(folder: string): Promise<Registry> {
  const address = `127.0.0.1:${await freePort()}`;
  const config = join(folder, 'registry.yml');
  await writeFile(
    config,
    JSON.stringify({
      version: '0.1',
      storage: { filesystem: { rootdirectory: join(folder, 'registry') } },
      http: { addr: address },
    }),
  );
  const process = spawn('docker-registry', ['serve', config], { stdio: 'ignore' });
  const exited = once(process, 'exit');
  const ask = async (path: string) => {
    const response = await fetch(`http://${address}/v2/${path}`, { headers: { accept: ociTypes.join() } });
    if (!response.ok) throw new Error(`The registry answered ${path} with ${response.status}`);
    return response;
  };
  await vi.waitFor(() => ask(''), { timeout: 60_000, interval: 250 });
  return {
    address,
    async manifest(image, reference) {
      const response = await ask(`${image}/manifests/${reference}`);
      const digest = response.headers.get('docker-content-digest') ?? '';
      return { digest, content: (await response.json()) as ImageManifest };
    },
    blob: async (image, digest) => (await ask(`${image}/blobs/${digest}`)).json(),
    async close() {
      process.kill();
      await exited;
    },
  };
}
