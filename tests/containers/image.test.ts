import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { rootDir } from '../../dev/settings.ts';
import { discoverySettings } from '../../discovery/config.ts';
import { gatewaySettings } from '../../gateway/config.ts';
import { loadConfig } from '../../platform/config.ts';
import { readCompose, readImage, readText } from './compose.ts';
import { serviceSettings } from './service-settings.ts';

const front = await readImage('front');
const shop = await readImage('shop');
const images = { portico: front, 'portico-shop': shop };
const { services } = await readCompose();
const settings = [discoverySettings, gatewaySettings, ...Object.values(serviceSettings)];

describe.each(Object.entries(images))('the image %s', (name, image) => {
  const own = Object.entries(services).filter(([, service]) => service.image === name);

  test('runs programs that there are, and that are in it', () => {
    const commands = own.map(([, { command = [], entrypoint = [] }]) =>
      [...entrypoint, ...command].find(isProgram),
    );
    for (const program of [...image.command, ...commands]) {
      const file = program?.replace(/^dist\//, '') ?? '';
      expect(existsSync(join(rootDir, file.replace(/\.js$/, '.ts'))), file).toBe(true);
      expect(
        image.programs.some(part => file === part || file.startsWith(`${part}/`)),
        file,
      ).toBe(true);
    }
    expect(image.entrypoint).toEqual(['node', '--enable-source-maps']);
  });

  test('runs as somebody who is not root, with settings that a process knows', () => {
    expect(image.user).toMatch(/^[1-9]\d*:[1-9]\d*$/);
    const { NODE_ENV, ...given } = image.env;
    expect(NODE_ENV).toBe('production');
    const known = settings.flatMap(({ shape }) => Object.keys(shape));
    expect(Object.keys(given).filter(key => !known.includes(key))).toEqual([]);
    expect(given['HOST']).toBe('0.0.0.0');
  });

  test('says what it is, and what it was made of, each once', () => {
    const labels = ['title', 'description', 'source', 'version', 'revision', 'created', 'licenses'];
    expect(new Set(image.labels)).toEqual(new Set(labels));
    expect(image.labels).toHaveLength(labels.length);
  });

  test('has no part that only development needs, and no other half of the house', () => {
    const folders = image.programs.map(part => part.split('/')[0]);
    const other = name === 'portico' ? ['subgraphs', 'prisma'] : ['gateway', 'discovery'];
    for (const folder of ['dev', 'broker', ...other]) expect(folders).not.toContain(folder);
    expect(folders).toContain('platform');
  });
});

test('the images tell the ports that their processes listen on', () => {
  const { GATEWAY_PORT } = loadConfig(gatewaySettings, {
    CALLER_SECRET: 'a'.repeat(32),
    EUREKA_URL: 'http://discovery:8761/eureka',
  });
  const { DISCOVERY_PORT } = loadConfig(discoverySettings, {});
  const { PORT, MANAGEMENT_PORT } = shop.env;
  expect(new Set(front.ports)).toEqual(new Set([GATEWAY_PORT, DISCOVERY_PORT, MANAGEMENT_PORT].map(String)));
  expect(new Set(shop.ports)).toEqual(new Set([PORT, MANAGEMENT_PORT]));
  for (const { healthcheck } of Object.values(images))
    expect(healthcheck).toContain('process.env.MANAGEMENT_PORT}/actuator/health/readiness');
});

test('the images are of one line of Node on both bases, which the project runs on', async () => {
  const { engines } = JSON.parse(await readText('package.json')) as { engines: { node: string } };
  const [oldest = 0] = engines.node.replace('>=', '').split('.').map(Number);
  const [, major] = /^node:(\d+)\.\d+\.\d+-\w+-slim$/.exec(front.baseImage) ?? [];
  expect(Number(major)).toBeGreaterThanOrEqual(oldest);
  // A line with long-term support has an even number.
  expect(Number(major) % 2).toBe(0);
  expect(front.distrolessImage).toMatch(
    new RegExp(`^gcr\\.io/distroless/nodejs${major}-debian\\d+:nonroot$`),
  );
});

test('the images are built from every source, and from nothing that is not named', async () => {
  const { include } = JSON.parse(await readText('tsconfig.build.json')) as { include: string[] };
  const [, everything, ...rest] = (await readText('.dockerignore')).trim().split('\n');
  expect(everything).toBe('*');
  for (const source of include) expect(rest).toContain(source.endsWith('.ts') ? `!${source}` : `!${source}/`);
  expect(rest.filter(line => /env|\.portico|\.git$/.test(line))).toEqual([]);
});

test.each([
  ['front', front],
  ['shop', shop],
])('the image %s imports no dependency that its build takes out', async (target, { programs }) => {
  const dockerfile = (await readText('Dockerfile')).replaceAll('\\\n', ' ');
  const stage = dockerfile.slice(dockerfile.indexOf(` AS ${target}-dependencies`));
  const [, rest = ''] = /npm uninstall (.+?)&&/.exec(stage) ?? [];
  const removed = rest.split(/ +/).filter(word => word !== '' && !word.startsWith('--'));
  const { dependencies } = JSON.parse(await readText('package.json')) as {
    dependencies: Record<string, string>;
  };
  expect(removed.filter(name => !(name in dependencies))).toEqual([]);
  expect(removed.length).toBeGreaterThan(0);
  const imported = await importsOf(programs);
  expect(imported).toContain('graphql');
  expect(removed.filter(name => imported.has(name))).toEqual([]);
});

/** Names of the packages that compiled programs import. */
async function importsOf(programs: readonly string[]): Promise<Set<string>> {
  const imported = new Set<string>();
  for (const program of programs) {
    const path = join(rootDir, 'dist', program);
    const files = program.includes('.') ? [''] : await readdir(path, { recursive: true });
    for (const file of files.filter(each => each === '' || each.endsWith('.js')))
      for (const [, name = ''] of (await readFile(join(path, file), 'utf8')).matchAll(
        /(?:from|import\(?) ?'((?:@[\w.-]+\/)?[\w.-]+)/g,
      ))
        imported.add(name);
  }
  return imported;
}

function isProgram(argument: string): boolean {
  return argument.startsWith('dist/');
}
