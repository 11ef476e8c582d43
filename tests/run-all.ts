import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { stopRequests } from '../dev/stop.ts';

/** Every test: those of `npm test`, those that take longer or other tools, and those against Apache Kafka. */
const parts = ['test', 'test:long', 'test:kafka'];
const root = join(import.meta.dirname, '..');
const counted = /^(\d+) passed, (\d+) failed, (\d+) skipped$/;

const stop = stopRequests();
const total = { passed: 0, failed: 0, skipped: 0 };
for (const part of parts) {
  if (stop.aborted) break;
  console.log(`\nnpm run ${part}`);
  if ((await run(part)) === 0) continue;
  process.exitCode = 1;
  console.log(`npm run ${part} failed`);
}
console.log(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);

/** Runs a script of the package, adds its counts, and shows what it prints. @returns its exit code */
async function run(script: string): Promise<number> {
  const child = spawn('npm', ['run', '--silent', script], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const end = () => child.kill();
  stop.addEventListener('abort', end);
  for await (const line of createInterface(child.stdout)) {
    console.log(line);
    const [, passed, failed, skipped] = counted.exec(line) ?? [];
    total.passed += Number(passed ?? 0);
    total.failed += Number(failed ?? 0);
    total.skipped += Number(skipped ?? 0);
  }
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  stop.removeEventListener('abort', end);
  return child.exitCode ?? 1;
}
