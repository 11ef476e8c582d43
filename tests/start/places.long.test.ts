import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { rootDir } from '../../dev/settings.ts';
import { freePorts } from '../helpers/system.ts';

const isRoot = process.getuid?.() === 0;
if (!isRoot) console.warn('SKIPPED: only root can start the system as another user and fill a disk.');
/** A user that no /etc/passwd names, as containers may be given. */
const strangerId = 1_987_654;
const nobodyId = 65_534;
const postgresIsFull =
  'is full; PostgreSQL needs some 50 MB. Free some, or have the data elsewhere: set PORTICO_DATA_DIR';

describe('npm start', () => {
  /** A checkout in a folder that is hard to name, which only its owner may write. */
  let checkout = '';
  let base = '';
  const started: ChildProcess[] = [];
  beforeAll(async () => {
    base = await mkdtemp(join(tmpdir(), 'portico-place-'));
    await chmod(base, 0o755);
    checkout = join(base, `it's "a" $place ünd ~so`);
    await mkdir(checkout);
    const files = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
      cwd: rootDir,
    });
    execFileSync('cp', ['--parents', '-p', ...String(files).split('\0').filter(Boolean), checkout], {
      cwd: rootDir,
    });
    try {
      execFileSync('cp', ['--archive', '--link', 'node_modules', checkout], { cwd: rootDir, stdio: 'pipe' });
    } catch {
      // It is on another file system.
      execFileSync('cp', ['--archive', 'node_modules', checkout], { cwd: rootDir });
    }
    execFileSync('npm', ['run', '--silent', 'prepare'], { cwd: checkout });
  });
  afterAll(async () => {
    for (const child of started) child.kill('SIGKILL');
    await rm(base, { recursive: true, force: true });
  });

  interface Place {
    readonly env?: Readonly<Record<string, string>>;
    readonly umask?: string;
    readonly uid?: number;
    readonly dataDir?: string;
  }

  /** Starts the system; ends it when it is up. @returns its exit code, and what it wrote */
  async function start({ env = {}, umask = '022', uid, dataDir }: Place) {
    const data = dataDir ?? (await mkdtemp(join(base, 'data-')));
    if (uid !== undefined) await chown(data, uid, uid);
    else await chmod(data, 0o755);
    const child = spawn('sh', ['-c', `umask ${umask}; exec npm start`], {
      cwd: checkout,
      env: { ...process.env, ...freePorts, PORTICO_DATA_DIR: data, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(uid === undefined ? {} : { uid, gid: uid }),
    });
    started.push(child);
    let output = '';
    let isUp = false;
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', chunk => {
        output += String(chunk);
        if (isUp || !output.includes('Portico is up')) return;
        isUp = true;
        child.kill('SIGTERM');
      });
    const [code] = (await once(child, 'close')) as [number | null];
    return { code, output };
  }

  const isUp = { code: 0, output: expect.stringContaining('Everything has stopped') as string };

  test('starts in a folder with quotes, spaces and other letters in its name', async () => {
    expect(await start({})).toEqual(isUp);
  });

  test('starts with umask 077, without a home, in production, and with a proxy that leads nowhere', async () => {
    const proxy = 'http://127.0.0.1:9';
    const env = {
      HOME: join(base, 'nowhere'),
      NODE_ENV: 'production',
      HTTP_PROXY: proxy,
      HTTPS_PROXY: proxy,
      http_proxy: proxy,
      NO_PROXY: '',
    };
    expect(await start({ umask: '077', env })).toEqual(isUp);
  });

  test.runIf(isRoot)('starts as a user who may not write the checkout, with its data elsewhere', async () => {
    expect(await start({ uid: nobodyId })).toEqual(isUp);
  });

  test.runIf(isRoot)('says that a user without an entry in /etc/passwd needs one', async () => {
    const { code, output } = await start({ uid: strangerId });
    expect(code).toBe(1);
    expect(output).toContain(`The user ${strangerId}, who runs PostgreSQL, is not in /etc/passwd`);
  });

  test('says that changed sources can not be compiled where the checkout can not be written', async ({
    skip,
  }) => {
    if (!isRoot) skip('only root can be another user');
    execFileSync('touch', ['dev/main.ts'], { cwd: checkout });
    onTestFinished(() => void execFileSync('npm', ['run', '--silent', 'build'], { cwd: checkout }));
    const { code, output } = await start({ uid: nobodyId });
    expect(code).toBe(1);
    expect(output).toContain("which can't be written: EACCES. Run 'npm run build' as a user who may");
  });

  // In the last, half of a PostgreSQL page is free at the end.
  test.for([
    { size: '4k', lacks: 'the keys', says: ['ENOSPC', 'elsewhere: set PORTICO_DATA_DIR'] },
    { size: '16k', lacks: 'the logs', says: ['Lines of the logs are lost: ENOSPC', postgresIsFull] },
    { size: '20m', lacks: 'PostgreSQL', says: [postgresIsFull] },
    { size: '20484k', lacks: 'PostgreSQL', says: [postgresIsFull] },
  ])('says that a disk of $size is full, which has no room for $lacks', async ({ size, says }, { skip }) => {
    const full = join(base, `full-${size}`);
    await mkdir(full);
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', full], { stdio: 'pipe' });
    } catch (error) {
      skip(`a small disk can't be mounted here: ${(error as Error).message}`);
    }
    onTestFinished(() => void execFileSync('umount', ['--lazy', full]));
    const { code, output } = await start({ dataDir: full });
    expect(code).toBe(1);
    for (const text of says) expect(output).toContain(text);
    expect(output).not.toContain('node:events');
  });

  test.each(['22', '24', '26'])('starts on Node %s', async version => {
    const folder = join(base, `node-${version}`);
    await mkdir(folder);
    execFileSync('npm', ['install', '--prefix', folder, `node@${version}`], { stdio: 'pipe' });
    const bin = join(folder, 'node_modules', 'node', 'bin');
    const node = execFileSync(join(bin, 'node'), ['--version'], { encoding: 'utf8' });
    expect(node).toMatch(new RegExp(`^v${version}\\.`));
    expect(await start({ env: { PATH: `${bin}${delimiter}${process.env['PATH']}` } })).toEqual(isUp);
  });
});
