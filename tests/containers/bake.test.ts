import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { rootDir } from '../../dev/settings.ts';
import { findPlugin } from './run/engine.ts';

/** A target as buildx itself reads it. */
interface Target {
  readonly target: string;
  readonly args: Readonly<Record<string, string>>;
  readonly tags: readonly string[];
  readonly platforms?: readonly string[];
  readonly attest?: readonly { readonly type: string; readonly mode?: string }[];
  readonly output: readonly Readonly<Record<string, string>>[];
}

const buildx = findPlugin('docker-buildx');
if (!buildx)
  console.warn("SKIPPED: Docker's plugin buildx is not installed, so that it did not read docker-bake.hcl.");

async function read(env: Readonly<Record<string, string>>, option: string): Promise<Record<string, Target>> {
  const args = ['bake', '--file', 'docker-bake.hcl', '--print', option];
  const { stdout } = await promisify(execFile)(buildx ?? '', args, {
    cwd: rootDir,
    env: { ...process.env, VERSION: '1.2.3', REVISION: 'abc', SOURCE_DATE_EPOCH: '1700000000', ...env },
  });
  return (JSON.parse(stdout) as { target: Record<string, Target> }).target;
}

describe.skipIf(!buildx)('docker-bake.hcl', () => {
  test('builds both images on both bases for a registry, with attestations and the time of the commit', async () => {
    const targets = await read({ REGISTRY: 'registry.example.org/team', TAGS: 'next' }, '--push');
    expect(Object.keys(targets).sort()).toEqual(['front', 'front-distroless', 'shop', 'shop-distroless']);
    for (const [name, target] of Object.entries(targets)) {
      const [half = '', suffix = ''] = name.split(/(?=-)/);
      const image = half === 'front' ? 'portico' : 'portico-shop';
      expect(target.target).toBe(half);
      expect(target.args['BASE']).toBe(suffix === '' ? undefined : 'distroless');
      expect(target.args['SOURCE_DATE_EPOCH']).toBe('1700000000');
      expect(target.tags).toEqual(
        ['1.2.3', 'abc', 'next'].map(tag => `registry.example.org/team/${image}:${tag}${suffix}`),
      );
      expect(target.platforms).toEqual(['linux/amd64', 'linux/arm64']);
      expect(target.attest).toEqual([{ type: 'provenance', mode: 'max' }, { type: 'sbom' }]);
      expect(target.output).toEqual([{ type: 'image', push: 'true', 'rewrite-timestamp': 'true' }]);
    }
  });

  test('builds for this machine what Docker can hold', async () => {
    const { shop } = await read({ LOCAL: 'true' }, '--load');
    expect(shop?.tags).toEqual(['portico-shop:1.2.3', 'portico-shop:abc', 'portico-shop:latest']);
    expect(shop?.platforms).toBeUndefined();
    expect(shop?.attest).toBeUndefined();
    expect(shop?.output).toEqual([{ type: 'docker' }]);
  });
});
