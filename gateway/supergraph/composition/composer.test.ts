import { expect, onTestFinished, test } from 'vitest';
import { CompositionTimeoutError, createComposer } from './composer.ts';

/** A thread that dies of a subgraph called `deadly`, never comes back from `endless`, and composes all others. */
const mortalWorker = new URL(
  `data:text/javascript,${encodeURIComponent(`
    import { parentPort } from 'node:worker_threads';
    parentPort.on('message', ({ id, subgraphs }) => {
      if (subgraphs.some(({ name }) => name === 'deadly')) throw new Error('out of memory');
      while (subgraphs.some(({ name }) => name === 'endless')) {}
      parentPort.postMessage({ id, outcome: { kind: 'composed', supergraphSdl: 'fine' }, changes: [] });
    });
  `)}`,
);

const subgraphs = (...names: string[]) => names.map(name => ({ name, hash: '1', sdl: '' }));

test('a composition of which the thread dies fails, and the next one has a new thread', async () => {
  const composer = createComposer(mortalWorker);
  onTestFinished(() => composer.close());
  for (let round = 0; round < 3; round++) {
    await expect(composer.compose(subgraphs('items', 'deadly'), undefined)).rejects.toThrow('out of memory');
    const { outcome } = await composer.compose(subgraphs('items'), undefined);
    expect(outcome.kind).toBe('composed');
  }
});

test('a composition that takes too long fails, and the next one has a new thread', async () => {
  const composer = createComposer(mortalWorker, 200);
  onTestFinished(() => composer.close());
  await expect(composer.compose(subgraphs('items', 'endless'), undefined)).rejects.toThrow(
    new CompositionTimeoutError('Composing takes longer than 200 ms'),
  );
  expect((await composer.compose(subgraphs('items'), undefined)).outcome.kind).toBe('composed');
});

test('a composer that is closed composes nothing, and what was under way fails', async () => {
  const composer = createComposer(mortalWorker);
  const underWay = expect(composer.compose(subgraphs('items'), undefined)).rejects.toThrow('has ended');
  await composer.close();
  await underWay;
  await expect(composer.compose(subgraphs('items'), undefined)).rejects.toThrow('closed');
});
