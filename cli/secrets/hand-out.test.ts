import { mkdir, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { handOut, readSecret } from './hand-out.ts';

let folder: string;
let keptDir: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'portico-test-'));
  keptDir = join(folder, 'kept');
});
afterEach(() => rm(folder, { recursive: true }));

const give = (gifts: readonly string[], env: Record<string, string> = {}) =>
  handOut({ folder, keptDir, gifts, env });
const read = (file: string) => readFile(join(folder, file), 'utf8');
const url = 'orders/DATABASE_URL=postgresql://orders:{ORDERS_PASSWORD}@postgres/orders';

test('a secret is made once, and each consumer gets its own', async () => {
  const gifts = ['gateway/CALLER_SECRET', 'orders/CALLER_SECRET', url];
  expect(await give(gifts)).toEqual({ made: ['CALLER_SECRET', 'ORDERS_PASSWORD'] });
  const secret = await read('gateway/CALLER_SECRET');
  expect(secret).toMatch(/^[0-9a-f]{64}$/);
  expect(await read('orders/CALLER_SECRET')).toBe(secret);
  const password = await readSecret(keptDir, 'ORDERS_PASSWORD');
  expect(password).not.toBe(secret);
  expect(await read('orders/DATABASE_URL')).toBe(`postgresql://orders:${password}@postgres/orders`);
  expect(await readdir(join(folder, 'gateway'))).toEqual(['CALLER_SECRET']);

  expect(await give(gifts)).toEqual({ made: [] });
  expect(await read('gateway/CALLER_SECRET')).toBe(secret);
});

test('a secret that is given wins over the one that is kept, and is kept', async () => {
  await give([url, 'orders/ORDERS_PASSWORD']);
  expect(await give([url, 'orders/ORDERS_PASSWORD'], { ORDERS_PASSWORD: 'p/w d' })).toEqual({ made: [] });
  expect(await read('orders/DATABASE_URL')).toBe('postgresql://orders:p%2Fw%20d@postgres/orders');
  expect(await read('orders/ORDERS_PASSWORD')).toBe('p/w d');
  await give([url], { ORDERS_PASSWORD: '' });
  expect(await readSecret(keptDir, 'ORDERS_PASSWORD')).toBe('p/w d');
});

test('the secrets themselves are for their keeper only, and nobody changes what is handed out', async () => {
  await give([url]);
  const modeOf = async (...path: string[]) => (await stat(join(folder, ...path))).mode & 0o777;
  expect(await modeOf('kept')).toBe(0o700);
  expect(await modeOf('kept', 'ORDERS_PASSWORD')).toBe(0o600);
  expect(await modeOf('orders', 'DATABASE_URL')).toBe(0o444);
});

test.each(['CALLER_SECRET', 'orders/../CALLER_SECRET', 'orders/', 'orders/caller=x', 'orders/URL='])(
  "'%s' is refused, and nothing is written",
  async gift => {
    await expect(give(['gateway/CALLER_SECRET', gift])).rejects.toThrow(`'${gift}' is no gift; write it as`);
    expect(await readdir(folder)).toEqual([]);
  },
);

test('a secret that is kept and cannot be read is not replaced', async () => {
  await mkdir(join(keptDir, 'CALLER_SECRET'), { recursive: true });
  await expect(give(['gateway/CALLER_SECRET'])).rejects.toThrow('EISDIR');
});

test('a secret that is not there is said not to be', async () => {
  await give([url]);
  await expect(readSecret(keptDir, 'NOTHING')).rejects.toThrow("There is no secret 'NOTHING'");
});
