import { setTimeout as delay } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/*
 * Loaded into each server under measurement before its own code (`node --import`): answers `{ type: 'measure' }` with
 * what the process holds after its garbage was collected, and what it has used. Plain JavaScript, so that no server
 * holds the memory of a compiler.
 */

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc');
/** A collection leaves some garbage to the next, and pages go back to the system a while later. */
const collections = 5;
const pauseMs = 500;

process.on('message', async message => {
  if (message.type !== 'measure') return;
  const { user, system } = process.cpuUsage();
  if (message.settled)
    for (let count = 0; count < collections; count++) {
      collect();
      await delay(pauseMs);
    }
  const { rss, heapUsed, external } = process.memoryUsage();
  process.send({
    type: 'usage',
    cpuMs: (user + system) / 1000,
    residentBytes: rss,
    heapBytes: heapUsed + external,
  });
});
process.on('disconnect', () => process.exit());
