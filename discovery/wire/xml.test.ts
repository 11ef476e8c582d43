import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PorticoError } from '../../platform/errors.ts';
import { type Lease, theInstance } from '../registry/lease.ts';
import { anInstance } from '../testing/instances.ts';
import { listApplications } from './applications.ts';
import { decodeBody } from './decode.ts';
import { instanceJson, writeInstance } from './json.ts';
import { readRegistration } from './read-instance.ts';
import { decodeElementName, encodeElementName } from './xml-names.ts';
import { parseXml } from './xml-read.ts';
import { applicationsXml, instanceXml } from './xml-write.ts';

function aLease(facts: Parameters<typeof anInstance>[0] = {}): Lease {
  return {
    info: anInstance(facts),
    status: 'UP',
    override: undefined,
    registeredAtMs: 1,
    renewedAtMs: 2,
    upSinceMs: 3,
    updatedAtMs: 4,
    evictedAtMs: 0,
    lastAction: 'ADDED',
    source: theInstance,
    registrant: undefined,
  };
}

describe('An element name', () => {
  test('is escaped as XStream does', () => {
    expect(encodeElementName('management.port')).toBe('management.port');
    expect(encodeElementName('my_key')).toBe('my__key');
    expect(encodeElementName('a$b')).toBe('a_-b');
    expect(encodeElementName('a/b')).toBe('a_.002fb');
    expect(encodeElementName('1st')).toBe('_.0031st');
  });

  test('is read back from whatever was written', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme-ascii', minLength: 1 }), name => {
        expect(decodeElementName(encodeElementName(name))).toBe(name);
      }),
    );
  });

  test('with a lone underscore, as other clients write it, is read as it is', () => {
    expect(decodeElementName('my_key')).toBe('my_key');
  });
});

describe('XML', () => {
  test('of an instance is the one that Netflix’s server writes', () => {
    expect(instanceXml(aLease({ metadata: { zone: 'a<b' }, vipAddress: 'products' }))).toBe(
      '<instance><instanceId>h:products:4001</instanceId><hostName>h</hostName><app>PRODUCTS</app>' +
        '<ipAddr>10.0.0.5</ipAddr><status>UP</status><overriddenstatus>UNKNOWN</overriddenstatus>' +
        '<port enabled="true">4001</port><securePort enabled="false">443</securePort><countryId>1</countryId>' +
        '<dataCenterInfo class="com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo"><name>MyOwn</name>' +
        '</dataCenterInfo><leaseInfo><renewalIntervalInSecs>30</renewalIntervalInSecs>' +
        '<durationInSecs>90</durationInSecs><registrationTimestamp>1</registrationTimestamp>' +
        '<lastRenewalTimestamp>2</lastRenewalTimestamp><evictionTimestamp>0</evictionTimestamp>' +
        '<serviceUpTimestamp>3</serviceUpTimestamp></leaseInfo><metadata><zone>a&lt;b</zone></metadata>' +
        '<vipAddress>products</vipAddress><isCoordinatingDiscoveryServer>false</isCoordinatingDiscoveryServer>' +
        '<lastUpdatedTimestamp>4</lastUpdatedTimestamp><lastDirtyTimestamp>1000</lastDirtyTimestamp>' +
        '<actionType>ADDED</actionType></instance>',
    );
  });

  test('marks metadata without entries as Netflix’s server does, and skips the mark when it reads', () => {
    const xml = instanceXml(aLease());
    expect(xml).toContain('<metadata class="java.util.Collections$EmptyMap"/>');
    expect(readRegistration(parseXml(xml), 'PRODUCTS', 0).metadata).toEqual({});
  });

  test('of a list begins with the hash', () => {
    expect(applicationsXml(listApplications([aLease()], 'UP_1_'))).toMatch(
      /^<applications><versions__delta>1<\/versions__delta><apps__hashcode>UP_1_<\/apps__hashcode><application><name>PRODUCTS<\/name><instance>/,
    );
  });

  test('and JSON of any instance are read as the same instance', () => {
    const text = fc.string({ unit: 'grapheme-ascii', maxLength: 20 }).map(each => each.trim());
    const key = fc
      .stringMatching(/^[\x21-\x7e]{1,12}$/)
      .filter(each => each !== '@class' && each !== '__proto__');
    fc.assert(
      fc.property(fc.dictionary(key, text), fc.constantFrom('UP', 'DOWN', 'STARTING'), (metadata, status) => {
        const { 'graphql.path': _, 'management.port': __, ...free } = metadata;
        const info = anInstance({ metadata: free, status, homePageUrl: 'http://h:4001/?a=1&b=2' });
        const lease = { ...aLease(), info, status };
        const wire = writeInstance(lease);
        expect(instanceJson(lease)).toBe(JSON.stringify(wire));
        expect(readRegistration({ instance: wire }, 'PRODUCTS', 0)).toEqual(info);
        expect(readRegistration(parseXml(instanceXml(lease)), 'PRODUCTS', 0)).toEqual(info);
      }),
    );
  });

  test('with a DOCTYPE, and so with entities of its own, is refused', () => {
    expect(() => parseXml('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>')).toThrow(/DOCTYPE is not allowed/);
  });

  test('that is not well-formed, or is nested without end, is refused', () => {
    expect(() => parseXml('<a><b></a>')).toThrow(/is not well-formed XML/);
    expect(() => parseXml('<a>'.repeat(100))).toThrow(/nested deeper/);
    expect(() => parseXml('')).toThrow(/is not well-formed XML/);
  });
});

describe('A body of any bytes', () => {
  const part = fc.oneof(
    fc.constantFrom(
      '<',
      '>',
      '</',
      '/>',
      '<a',
      '<instance>',
      '</instance>',
      ' a="1"',
      '"',
      '&',
      '&amp;',
      '&#0;',
      '&#xD800;',
      '<![CDATA[',
      ']]>',
      '<!--',
      '-->',
      '<?xml version="1.0"?>',
      '<!DOCTYPE a',
      '<__proto__>',
      '_.d800',
      ':',
      '\ufeff',
      '{',
      '}',
      '[',
      '"instance":',
    ),
    fc.string({ unit: 'binary', maxLength: 5 }),
  );
  const text = fc.array(part).map(parts => Buffer.from(parts.join('')));
  const encoded = fc.record({
    body: fc.oneof(
      text,
      fc.uint8Array().map(Buffer.from),
      text.map(each => gzipSync(each)),
      fc.constant(gzipSync(Buffer.alloc(10_000_000, '<a>'))),
    ),
    contentType: fc.constantFrom('application/xml', 'application/json', 'text/plain', undefined),
    contentEncoding: fc.constantFrom('gzip', 'identity', 'br', undefined),
  });

  test('is read as something, or refused', () => {
    fc.assert(
      fc.property(encoded, each => {
        try {
          const read = decodeBody({ ...each, maxBytes: 100_000 });
          readRegistration(read, 'PRODUCTS', 0);
        } catch (error) {
          expect(error).toBeInstanceOf(PorticoError);
          expect((error as Error).message.length).toBeLessThan(1_000);
        }
      }),
      { numRuns: 500 },
    );
  });

  test('takes a time that its length bounds', () => {
    const startedAt = performance.now();
    for (const each of [
      '<a>'.repeat(20_000),
      '<a '.repeat(20_000),
      '<a b="'.repeat(10_000),
      '&'.repeat(60_000),
      `<a${' b="1"'.repeat(10_000)}/>`,
      `<a>${'<b/>'.repeat(15_000)}</a>`,
      '<![CDATA[]]'.repeat(5_000),
      '_.'.repeat(30_000),
      '[[{"a":'.repeat(8_000),
    ])
      for (const contentType of ['application/xml', 'application/json'])
        expect(() =>
          readRegistration(
            decodeBody({
              body: Buffer.from(each),
              contentType,
              contentEncoding: undefined,
              maxBytes: 100_000,
            }),
            'P',
            0,
          ),
        ).toThrow(PorticoError);
    expect(performance.now() - startedAt).toBeLessThan(3_000);
  });
});
