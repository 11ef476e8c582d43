import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';

const rootDir = join(import.meta.dirname, '..', '..');
const options =
  '--parts loads --targets router --loads one --rounds 1 --seconds 1 --warm-up-seconds 1 --connections 2';

/** Programs that are started as a router is, and are Apollo Gateway. */
function standIns(): Record<string, string> {
  const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
  const stock = `exec "${process.execPath}" --import ${tsx} ${join(rootDir, 'bench/queries/stock.ts')}`;
  return {
    hive_router: `#!/bin/sh
grep -q accept-language "$ROUTER_CONFIG_FILE_PATH" && ${stock} "$SUPERGRAPH_FILE_PATH" "$PORT"
`,
    router: `#!/bin/sh
[ "$1" = --version ] && echo 0.0.1 && exit
port=$(sed -n 's/.*"supergraph":{"listen":"127.0.0.1:\\([0-9]*\\)".*/\\1/p' "$4")
[ "$1 $3" = '--supergraph --config' ] && ${stock} "$2" "$port"
`,
  };
}

async function runBench(path: string): Promise<string> {
  const bench = spawn(process.execPath, ['--import', 'tsx', 'bench/queries/main.ts', ...options.split(' ')], {
    cwd: rootDir,
    env: { ...process.env, PATH: path },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [printed, ended] = await Promise.all([text(bench.stdout), once(bench, 'exit')]);
  expect(ended).toEqual([0, null]);
  return printed;
}

test('a router is measured when its program is on the path', { timeout: 240_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'portico-routers-'));
  try {
    for (const [name, script] of Object.entries(standIns())) {
      await writeFile(join(folder, name), script);
      await chmod(join(folder, name), 0o755);
    }
    const printed = await runBench([folder, process.env['PATH']].join(delimiter));
    for (const name of ['Hive Router', 'Apollo Router 0.0.1'])
      expect(printed).toMatch(new RegExp(`^\\| ${name} \\| [1-9]\\d* \\|.* [1-9]\\d* \\|$`, 'm'));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test('the benchmark says that there is no router', { timeout: 240_000 }, async () => {
  // Programs of the system are there, and no other.
  expect(await runBench(['/usr/bin', '/bin'].join(delimiter))).toContain('No router is measured');
});
