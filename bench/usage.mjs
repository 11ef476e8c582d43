import { setTimeout as delay } from 'node:timers/promises';
import { isMainThread } from 'node:worker_threads';

/*
 * Loaded into each server under measurement before its own code (`node --expose-gc --import`): answers
 * `{ type: 'measure' }` with what the process holds, after its garbage was collected if that is asked for, what it has
 * held at most since it was last asked, and what it has used. Plain JavaScript, so that no server holds the memory of a
 * compiler.
 */

/** A collection leaves some garbage to the next, and pages go back to the system a while later. */
const collections = 5;
const pauseMs = 500;

/** Looking takes half a millisecond in some containers. */
const samplingMs = 100;
let peakBytes = 0;
const sample = () => {
  peakBytes = Math.max(peakBytes, process.memoryUsage.rss());
};
// Threads of a server load this file as well, and are in what its main thread sees.
if (isMainThread) setInterval(sample, samplingMs).unref();

process.on('message', async message => {
  if (message.type !== 'measure') return;
  const { user, system } = process.cpuUsage();
  sample();
  const heldAtMostBytes = peakBytes;
  if (message.settled)
    for (let count = 0; count < collections; count++) {
      gc();
      await delay(pauseMs);
    }
  peakBytes = 0;
  const { rss, heapUsed, external } = process.memoryUsage();
  process.send({
    type: 'usage',
    cpuMs: (user + system) / 1000,
    residentBytes: rss,
    peakBytes: heldAtMostBytes,
    heapBytes: heapUsed + external,
  });
});
process.on('disconnect', () => process.exit());
