import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { beforeEach, describe, expect, test } from 'vitest';
import { findProgram } from '../helpers/programs.ts';
import { type DiscoveryProcess, startDiscoveryProcess } from './helpers.ts';

const curl = findProgram('curl');
if (!curl)
  console.warn('SKIPPED: curl is not installed, so the transcripts of Netflix’s client were not played.');

/** Headers that Netflix's Java client sends with every request. */
const clientHeaders = {
  Accept: 'application/json',
  'Accept-Encoding': 'gzip',
  'DiscoveryIdentity-Name': 'DefaultClient',
  'DiscoveryIdentity-Version': '1.4',
  'DiscoveryIdentity-Id': '10.0.0.5',
  'User-Agent': 'Java-EurekaClient/v1.10.17',
};

const instance = `{"instance":{"instanceId":"10.0.0.5:products:8080","hostName":"10.0.0.5","app":"PRODUCTS","ipAddr":"10.0.0.5",
"status":"STARTING","overriddenStatus":"UNKNOWN","port":{"$":8080,"@enabled":"true"},"securePort":{"$":443,"@enabled":"false"},
"countryId":1,"dataCenterInfo":{"@class":"com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo","name":"MyOwn"},
"leaseInfo":{"renewalIntervalInSecs":30,"durationInSecs":90,"registrationTimestamp":0,"lastRenewalTimestamp":0,"evictionTimestamp":0,"serviceUpTimestamp":0},
"metadata":{"management.port":"8081"},"homePageUrl":"http://10.0.0.5:8080/","statusPageUrl":"http://10.0.0.5:8081/actuator/info",
"healthCheckUrl":"http://10.0.0.5:8081/actuator/health","vipAddress":"products","secureVipAddress":"products",
"isCoordinatingDiscoveryServer":"false","lastUpdatedTimestamp":"1700000000000","lastDirtyTimestamp":"1700000000000"}}`;

const xmlInstance = `<instance>
  <instanceId>10.0.0.6:orders:8080</instanceId><hostName>10.0.0.6</hostName><app>ORDERS</app><ipAddr>10.0.0.6</ipAddr>
  <status>UP</status><overriddenstatus>UNKNOWN</overriddenstatus><port enabled="true">8080</port>
  <securePort enabled="false">443</securePort><countryId>1</countryId>
  <dataCenterInfo class="com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo"><name>MyOwn</name></dataCenterInfo>
  <leaseInfo><renewalIntervalInSecs>30</renewalIntervalInSecs><durationInSecs>90</durationInSecs></leaseInfo>
  <metadata class="java.util.Collections$EmptyMap"/><vipAddress>orders</vipAddress>
  <lastDirtyTimestamp>1700000000000</lastDirtyTimestamp>
</instance>`;

interface CurlOptions {
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

let discovery: DiscoveryProcess;

beforeEach(async () => {
  discovery = await startDiscoveryProcess();
});

/** Plays one request. @returns the status and the body as the client would read them */
async function play(method: string, path: string, { body, headers }: CurlOptions = {}) {
  const sent = Object.entries({ ...clientHeaders, ...headers }).flatMap(([name, value]) => [
    '-H',
    `${name}: ${value}`,
  ]);
  const data = body === undefined ? [] : ['--data-binary', body];
  const { stdout } = await promisify(execFile)(
    curl ?? 'curl',
    ['-s', '-i', '-X', method, ...sent, ...data, `${discovery.url}${path}`],
    { encoding: 'buffer' },
  );
  const end = stdout.indexOf('\r\n\r\n');
  const head = stdout.subarray(0, end).toString().toLowerCase();
  const raw = stdout.subarray(end + 4);
  return {
    status: Number(/^http\/1\.1 (\d+)/.exec(head)?.[1]),
    body: (head.includes('content-encoding: gzip') ? gunzipSync(raw) : raw).toString(),
    zipped: head.includes('content-encoding: gzip'),
  };
}

const asJson = { 'Content-Type': 'application/json' };
const asXml = { 'Content-Type': 'application/xml', Accept: 'application/xml' };
const path = '/eureka/v2/apps/PRODUCTS/10.0.0.5:products:8080';

describe.skipIf(!curl)('The requests of Netflix’s client', () => {
  test('take an instance through its life: register, renew, change, deltas, cancel', async () => {
    expect((await play('PUT', `${path}?status=STARTING&lastDirtyTimestamp=1700000000000`)).status).toBe(404);
    expect(await play('POST', '/eureka/v2/apps/PRODUCTS', { headers: asJson, body: instance })).toMatchObject(
      {
        status: 204,
        body: '',
      },
    );
    expect(await play('PUT', `${path}?status=STARTING&lastDirtyTimestamp=1700000000000`)).toMatchObject({
      status: 200,
      body: '',
    });
    const up = instance.replace('"STARTING"', '"UP"').replaceAll('1700000000000', '1700000005000');
    expect((await play('PUT', `${path}?status=UP&lastDirtyTimestamp=1700000005000`)).status).toBe(404);
    expect((await play('POST', '/eureka/v2/apps/PRODUCTS', { headers: asJson, body: up })).status).toBe(204);
    const all = await play('GET', '/eureka/v2/apps/');
    expect(all).toMatchObject({ status: 200, zipped: true });
    expect(JSON.parse(all.body)).toMatchObject({
      applications: {
        versions__delta: '1',
        apps__hashcode: 'UP_1_',
        application: [
          { name: 'PRODUCTS', instance: [{ status: 'UP', lastDirtyTimestamp: '1700000005000' }] },
        ],
      },
    });
    const delta = await play('GET', '/eureka/v2/apps/delta');
    expect(delta).toMatchObject({ status: 200, zipped: true });
    expect(delta.body).toContain('"actionType":"ADDED"');
    expect(await play('DELETE', path)).toMatchObject({ status: 200, body: '' });
    expect((await play('DELETE', path)).status).toBe(404);
  });

  test('set and remove an override', async () => {
    await play('POST', '/eureka/v2/apps/PRODUCTS', {
      headers: asJson,
      body: instance.replace('"STARTING"', '"UP"'),
    });
    expect(
      (await play('PUT', `${path}/status?value=OUT_OF_SERVICE&lastDirtyTimestamp=1700000000000`)).status,
    ).toBe(200);
    expect((await play('GET', path)).body).toContain('"overriddenStatus":"OUT_OF_SERVICE"');
    expect((await play('DELETE', `${path}/status?value=UP&lastDirtyTimestamp=1700000000000`)).status).toBe(
      200,
    );
    expect((await play('GET', path)).body).toContain('"status":"UP"');
  });

  test('work in XML as well, both ways', async () => {
    expect((await play('POST', '/eureka/apps/ORDERS', { headers: asXml, body: xmlInstance })).status).toBe(
      204,
    );
    const one = await play('GET', '/eureka/apps/ORDERS/10.0.0.6:orders:8080', { headers: asXml });
    expect(one.body).toContain('<port enabled="true">8080</port>');
    expect((await play('POST', '/eureka/apps/ORDERS', { headers: asXml, body: one.body })).status).toBe(204);
  });

  test('as Spring sends them, with a type and no body, are taken', async () => {
    await play('POST', '/eureka/apps/PRODUCTS', { headers: asJson, body: instance });
    const renewal = '/eureka/apps/PRODUCTS/10.0.0.5:products:8080?status=UP&lastDirtyTimestamp=1700000000000';
    expect(await play('PUT', renewal, { headers: asJson })).toMatchObject({ status: 200, body: '' });
    expect((await play('GET', '/eureka/apps/', { headers: asJson })).status).toBe(200);
  });
});
