import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PorticoError } from '../../platform/errors.ts';
import { readMetadata, readRegistration } from './read-instance.ts';

const least = { hostName: 'h', ipAddr: '10.0.0.5', app: 'products', dataCenterInfo: { name: 'MyOwn' } };

function read(facts: Record<string, unknown>) {
  return readRegistration({ instance: { ...least, ...facts } }, 'PRODUCTS', 5_000);
}

function refusalOf(facts: Record<string, unknown>): string {
  try {
    read(facts);
  } catch (error) {
    return (error as Error).message;
  }
  return 'accepted';
}

describe('A registration', () => {
  test('needs little, and gets the defaults of Netflix’s clients for the rest', () => {
    expect(read({})).toMatchObject({
      app: 'PRODUCTS',
      instanceId: 'h',
      status: 'UP',
      overriddenStatus: 'UNKNOWN',
      renewalIntervalMs: 30_000,
      durationMs: 90_000,
      metadata: {},
      lastDirtyTimestampMs: 5_000,
    });
  });

  test('takes numbers and flags as texts too, and the override under both its names', () => {
    const info = read({
      port: { $: '8080', '@enabled': true },
      securePort: { $: 443, '@enabled': 'TRUE' },
      overriddenstatus: 'OUT_OF_SERVICE',
      lastDirtyTimestamp: '1700000000000',
      leaseInfo: { renewalIntervalInSecs: '5', durationInSecs: 15 },
    });
    expect(info).toMatchObject({
      port: { number: 8080, enabled: true },
      securePort: { number: 443, enabled: true },
      overriddenStatus: 'OUT_OF_SERVICE',
      lastDirtyTimestampMs: 1_700_000_000_000,
      renewalIntervalMs: 5_000,
      durationMs: 15_000,
    });
    expect(read({ overriddenStatus: 'UP' }).overriddenStatus).toBe('UP');
  });

  test.each([
    [{ hostName: '' }, 'Missing instanceId'],
    [{ hostName: null, instanceId: 'i' }, 'Missing hostname'],
    [{ ipAddr: ' ' }, 'Missing ip address'],
    [{ app: undefined }, 'Missing appName'],
    [{ app: 'orders' }, 'Mismatched appName, expecting PRODUCTS but was ORDERS'],
    [{ dataCenterInfo: undefined }, 'Missing dataCenterInfo'],
    [{ dataCenterInfo: {} }, 'Missing dataCenterInfo Name'],
  ])('that lacks something is refused in the words of Netflix’s server: %j', (facts, expected) => {
    expect(refusalOf(facts)).toBe(expected);
  });

  test.each([
    ['a@evil.example'],
    ['evil.example/path'],
    ['evil.example#'],
    ['h:80'],
    ['h h'],
    ['h\n'],
    ['2852039166'],
    ['0x7f.1'],
    ['127.1'],
    ['169.254.169.254'],
    ['::ffff:169.254.169.254'],
    ['fe80::1'],
    ['::1%eth0'],
    ['0.0.0.0'],
    ['224.0.0.1'],
    ['xn--.'],
    ['münchen.example'],
    ['a'.repeat(254)],
  ])('from the host %j is refused, since a caller would be led elsewhere', hostName => {
    expect(refusalOf({ hostName, instanceId: 'i' })).toMatch(/^hostName must be .*; it is "/);
  });

  test.each([
    ['h'],
    ['my_service-1.internal'],
    ['10.1.2.3'],
    ['::1'],
    ['2001:db8::1'],
    ['localhost'],
    ['h.'],
  ])('from the host %j is taken', hostName => {
    expect(read({ hostName }).hostName).toBe(hostName);
  });

  test.each([
    ['file:///etc/passwd', 'an http or https URL; it is "file:///etc/passwd"'],
    ['javascript:alert(1)', 'an http or https URL; it is "javascript:alert(1)"'],
    ['/info', 'an http or https URL; it is "/info"'],
    ['http://user:pass@h/', 'a URL without credentials; it is "http://user:pass@h/"'],
    ['http://169.254.169.254/latest', 'an address where a service can be; it is "169.254.169.254"'],
  ])('with the health check %j is refused', (healthCheckUrl, expected) => {
    expect(refusalOf({ healthCheckUrl })).toBe(`healthCheckUrl must be ${expected}`);
  });

  test.each([
    [{ renewalIntervalInSecs: 0, durationInSecs: 0 }],
    [{ renewalIntervalInSecs: '0', durationInSecs: -1 }],
    [{ renewalIntervalInSecs: null }],
    [{}],
    [null],
  ])('whose lease is %j has the default one of 30 and 90 s', leaseInfo => {
    expect(read({ leaseInfo })).toMatchObject({ renewalIntervalMs: 30_000, durationMs: 90_000 });
  });

  test.each([
    [{ port: { $: 65_536 } }, 'port.$ must be a whole number from 0 to 65535; it is 65536'],
    [{ port: { $: '80x' } }, 'port.$ must be a whole number from 0 to 65535; it is "80x"'],
    [{ status: 'FINE' }, 'status must be one of UP, DOWN, STARTING, OUT_OF_SERVICE, UNKNOWN; it is "FINE"'],
    [
      { leaseInfo: { durationInSecs: 86_401 } },
      'leaseInfo.durationInSecs must be a whole number from 1 to 86400; it is 86401',
    ],
    [
      { leaseInfo: { renewalIntervalInSecs: 10, durationInSecs: 5 } },
      'leaseInfo.durationInSecs must be at least renewalIntervalInSecs, 10; it is 5',
    ],
    [
      { instanceId: 'a/b' },
      'instanceId must be a text of letters, digits and any of . _ : ~ @ + = , [ ] -; it is "a/b"',
    ],
    [
      { instanceId: '<b>' },
      'instanceId must be a text of letters, digits and any of . _ : ~ @ + = , [ ] -; it is "<b>"',
    ],
    [
      { dataCenterInfo: { name: 'Azure' } },
      'dataCenterInfo.name must be one of Netflix, Amazon, MyOwn; it is "Azure"',
    ],
    [{ metadata: 'x' }, 'metadata must be an object; it is "x"'],
    [{ metadata: { key: { nested: 1 } } }, 'metadata.key must be a text; it is {"nested":1}'],
    [{ vipAddress: 'a\u0000' }, 'vipAddress must be a text without control characters; it is "a\\u0000"'],
  ])('that is malformed is refused with what was expected and what came: %j', (facts, expected) => {
    expect(refusalOf(facts)).toBe(expected);
  });

  test('that is no object at all is refused', () => {
    for (const body of [null, 1, 'x', [], {}, { instance: [] }])
      expect(() => readRegistration(body, 'PRODUCTS', 0)).toThrow(/must be/);
  });
});

describe('Metadata', () => {
  test('from which callers build URLs is held to what belongs there', () => {
    expect(readMetadata({ 'graphql.path': '/graphql', 'management.port': 8080 })).toEqual({
      'graphql.path': '/graphql',
      'management.port': '8080',
    });
    for (const path of ['@evil.example/', '//evil.example/', 'graphql', '/a?b', '/a b', '/\\evil'])
      for (const key of ['graphql.path', 'graphql.subscriptions.path'])
        expect(() => readMetadata({ [key]: path })).toThrow(`metadata.${key} must be a path`);
    for (const port of ['0', '65536', '80@evil.example'])
      expect(() => readMetadata({ 'management.port': port })).toThrow(/metadata.management.port/);
  });

  test('is bounded in entries, in names and in size', () => {
    const many = Object.fromEntries(Array.from({ length: 101 }, (_, index) => [`k${index}`, '']));
    expect(() => readMetadata(many)).toThrow(
      'the number of entries of metadata must be at most 100; it is 101',
    );
    expect(() => readMetadata({ [`k${'x'.repeat(128)}`]: '' })).toThrow(
      /metadata key must be a text of at most 128/,
    );
    const large = Object.fromEntries(
      Array.from({ length: 5 }, (_, index) => [`k${index}`, 'x'.repeat(8_000)]),
    );
    expect(() => readMetadata(large)).toThrow(
      /the length of metadata must be at most 32768 characters; it is 40010/,
    );
  });

  test('cannot be named so that it becomes something else', () => {
    const hostile: unknown = JSON.parse('{"__proto__":"x"}');
    expect(() => readMetadata(hostile)).toThrow(/metadata key must be a name/);
  });
});

describe('Anything at all', () => {
  const anything = fc.oneof(
    fc.jsonValue(),
    fc.string({ unit: 'binary' }),
    fc.constantFrom<unknown>(
      JSON.parse('{"toString":1,"valueOf":1}'),
      JSON.parse('{"__proto__":{"a":1}}'),
      Number.POSITIVE_INFINITY,
      '\ud800',
      '9'.repeat(400),
    ),
  );
  const fields = fc.constantFrom(
    'hostName',
    'instanceId',
    'ipAddr',
    'app',
    'status',
    'port',
    'securePort',
    'dataCenterInfo',
    'leaseInfo',
    'metadata',
    'countryId',
    'lastDirtyTimestamp',
    'homePageUrl',
    'vipAddress',
    '__proto__',
    'constructor',
  );
  const inner = fc.dictionary(
    fc.oneof(
      fc.constantFrom(
        '$',
        '@enabled',
        '@class',
        'name',
        'metadata',
        'durationInSecs',
        'renewalIntervalInSecs',
        'graphql.path',
        'management.port',
        '__proto__',
      ),
      fc.string(),
    ),
    anything,
  );
  const body = fc.oneof(
    anything,
    fc.array(fc.tuple(fields, fc.oneof(anything, inner)), { maxLength: 4 }).map(entries => ({
      instance: Object.fromEntries([...Object.entries(least), ...entries]),
    })),
  );

  test('that fills the stack of whoever writes it is refused', () => {
    const deep: unknown = JSON.parse(`${'['.repeat(50_000)}${']'.repeat(50_000)}`);
    for (const each of [deep, { instance: deep }, { instance: { ...least, hostName: deep } }])
      expect(() => readRegistration(each, 'PRODUCTS', 0)).toThrow(/nested too deeply to be shown/);
    for (const metadata of [deep, { a: deep }])
      expect(() => read({ metadata })).toThrow(/it is nested too deeply to be shown/);
  });

  test('is read, or refused in few words', () => {
    fc.assert(
      fc.property(body, each => {
        try {
          const info = readRegistration(each, 'PRODUCTS', 0);
          expect(JSON.stringify(info).length).toBeLessThan(200_000);
        } catch (error) {
          expect(error).toBeInstanceOf(PorticoError);
          expect((error as Error).message.length).toBeLessThan(500);
        }
      }),
      { numRuns: 500 },
    );
  });
});
