import { expect, test } from 'vitest';
import { HealthRegistry } from './health.ts';

test('a process is not ready before it accepts traffic, and not after it refuses it', async () => {
  const health = new HealthRegistry();
  expect((await health.check('readiness')).status).toBe('OUT_OF_SERVICE');
  health.acceptTraffic();
  expect((await health.check('readiness')).status).toBe('UP');
  health.refuseTraffic();
  expect((await health.check('readiness')).status).toBe('OUT_OF_SERVICE');
  expect((await health.check('liveness')).status).toBe('UP');
});

test('the worst status decides, and an indicator that throws is DOWN with its reason', async () => {
  const health = new HealthRegistry();
  health.acceptTraffic();
  health.add('fine', () => ({ status: 'UP' }));
  health.add('db', () => Promise.reject(new Error('connection refused')));
  const answer = await health.check();
  expect(answer.status).toBe('DOWN');
  expect(answer.components['db']).toEqual({ status: 'DOWN', details: { error: 'connection refused' } });
  expect((await health.check('liveness')).status).toBe('UP');
});

test('what a process cannot begin without holds its readiness back until it has come', async () => {
  const health = new HealthRegistry();
  health.acceptTraffic();
  let come = () => {};
  health.awaitOnce('list', new Promise<void>(resolve => (come = resolve)), 'No list has come');
  expect(await health.check('readiness')).toMatchObject({
    status: 'OUT_OF_SERVICE',
    components: { list: { status: 'OUT_OF_SERVICE', details: { missing: 'No list has come' } } },
  });
  expect((await health.check('liveness')).status).toBe('UP');
  come();
  await health.awaited();
  expect((await health.check('readiness')).status).toBe('UP');
});

test('an indicator without a group is shown and decides nothing', async () => {
  const health = new HealthRegistry();
  health.acceptTraffic();
  health.add('curiosity', () => ({ status: 'DOWN' }), { groups: [] });
  const answer = await health.check();
  expect(answer.status).toBe('UP');
  expect(answer.components['curiosity']).toEqual({ status: 'DOWN' });
});
