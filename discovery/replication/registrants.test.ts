import { expect, test } from 'vitest';
import { createRegistrants } from './registrants.ts';

const instance = { by: 'instance' } as const;
const peer = { by: 'peer', name: 'other' } as const;

test.each([
  ['10.0.0.1', '10.0.0.1'],
  ['::ffff:10.0.0.1', '10.0.0.1'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:db8:1:2::6', '2001:db8:1:2::/64'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
])('an instance that comes from %s counts for %s', async (address, registrant) => {
  expect(await createRegistrants([])(address, instance)).toBe(registrant);
});

test('what a peer passes on counts for nobody, and what somebody passes on who is none counts for them', async () => {
  const registrantOf = createRegistrants(['http://peer:8761/eureka', 'http://[::1]:8761/eureka'], host =>
    Promise.resolve([{ address: host === 'peer' ? '10.0.0.2' : host }]),
  );
  expect(await registrantOf('10.0.0.2', peer)).toBeUndefined();
  expect(await registrantOf('::ffff:10.0.0.2', peer)).toBeUndefined();
  expect(await registrantOf('::1', peer)).toBeUndefined();
  expect(await registrantOf('10.0.0.3', peer)).toBe('10.0.0.3');
  // A registry may run beside an instance.
  expect(await registrantOf('10.0.0.2', instance)).toBe('10.0.0.2');
});

test('a peer that comes back under another address is known again, and one that is away is none', async () => {
  let address: string | undefined;
  let asked = 0;
  const registrantOf = createRegistrants(['http://peer:8761/eureka'], () => {
    asked += 1;
    return address === undefined ? Promise.reject(new Error('ENOTFOUND')) : Promise.resolve([{ address }]);
  });
  expect(await registrantOf('10.0.0.2', peer)).toBe('10.0.0.2');
  address = '10.0.0.2';
  await expect.poll(() => registrantOf('10.0.0.2', peer), { timeout: 5_000 }).toBeUndefined();
  // However often somebody claims to be a peer, names are looked up once a second.
  for (let count = 0; count < 100; count++) await registrantOf('10.0.0.9', peer);
  expect(asked).toBeLessThan(10);
});

test('without peers nobody is believed', async () => {
  expect(await createRegistrants([])('10.0.0.2', peer)).toBe('10.0.0.2');
});
