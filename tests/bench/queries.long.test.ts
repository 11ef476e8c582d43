import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, test } from 'vitest';

/** Lowest ratios to Apollo Gateway's requests a second. They are well below what is seen, since machines are noisy. */
const floors = { heavy: 60, 'heavy-distinct': 5, one: 8, hop: 12, variables: 10 };

test('queries stay faster than those of Apollo Gateway', { timeout: 240_000 }, async () => {
  const limits = Object.entries(floors).map(([load, floor]) => `${load}=${floor}`);
  const options = `--parts loads --targets stock --rounds 1 --warm-up-seconds 5 --seconds 4 --loads ${Object.keys(floors).join()} --floors ${limits.join()}`;
  const bench = spawn(process.execPath, ['--import', 'tsx', 'bench/queries/main.ts', ...options.split(' ')], {
    cwd: join(import.meta.dirname, '..', '..'),
    stdio: 'inherit',
  });
  expect(await once(bench, 'exit')).toEqual([0, null]);
});
