import { gunzipSync } from 'node:zlib';
import { beforeEach, describe, expect, test } from 'vitest';
import { createFakeClock, type FakeClock } from '../testing/instances.ts';
import { SharedText } from './shared-text.ts';

let clock: FakeClock;
let made: number;
let version: number;
let text: SharedText;

beforeEach(() => {
  clock = createFakeClock();
  made = 0;
  version = 1;
  text = new SharedText({ make: () => `made ${++made}`, version: () => version, now: clock.now });
});

describe('A text that many ask for', () => {
  test('is made when somebody wants it, and once a version', async () => {
    expect(made).toBe(0);
    const first = text.plain();
    expect(text.plain()).toBe(first);
    expect(await text.zipped()).toBe(await text.zipped());
    expect(gunzipSync(await text.zipped())).toEqual(first);
    expect(made).toBe(1);
  });

  test('is made anew when something has changed, gzipped too', async () => {
    await text.zipped();
    version++;
    expect(gunzipSync(await text.zipped()).toString()).toBe('made 2');
    expect(text.plain().toString()).toBe('made 2');
  });

  test('is made anew after half a minute, for the times in it', () => {
    text.plain();
    clock.advance(29_999);
    expect(text.plain().toString()).toBe('made 1');
    clock.advance(1);
    expect(text.plain().toString()).toBe('made 2');
  });
});
