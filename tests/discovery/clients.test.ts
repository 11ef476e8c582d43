import { describe, expect, test } from 'vitest';
import { startDiscoveryProcess } from './helpers.ts';

/** One request of a client, and what the registry answers and says of the instance afterwards. */
interface Moment {
  readonly when: string;
  readonly send: readonly [method: string, path: string, body?: string | object];
  readonly answer: number;
  /** Status of the instance after it; undefined when it is not registered. */
  readonly status: string | undefined;
}

interface Client {
  readonly app: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly instanceId: string;
  readonly moments: readonly Moment[];
}

const myOwn = { '@class': 'com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo', name: 'MyOwn' };
const unset = {
  registrationTimestamp: 0,
  lastRenewalTimestamp: 0,
  evictionTimestamp: 0,
  serviceUpTimestamp: 0,
};

/** Written down from py-eureka-client 0.13.3. */
const python = (status: string, at: string) => ({
  instance: {
    instanceId: '127.0.0.1:pyapp:9999',
    hostName: '127.0.0.1',
    app: 'PYAPP',
    ipAddr: '127.0.0.1',
    port: { $: 9999, '@enabled': 'true' },
    securePort: { $: 9443, '@enabled': 'false' },
    countryId: 1,
    dataCenterInfo: myOwn,
    leaseInfo: { renewalIntervalInSecs: 30, durationInSecs: 90, ...unset },
    metadata: { 'management.port': '9999', zone: 'default', subgraph: 'pyapp' },
    homePageUrl: 'http://127.0.0.1:9999/',
    statusPageUrl: 'http://127.0.0.1:9999/info',
    healthCheckUrl: 'http://127.0.0.1:9999/health',
    secureHealthCheckUrl: '',
    vipAddress: 'pyapp',
    secureVipAddress: 'pyapp',
    isCoordinatingDiscoveryServer: 'false',
    status,
    overriddenstatus: 'UNKNOWN',
    lastUpdatedTimestamp: at,
    lastDirtyTimestamp: at,
  },
});

/** Written down from fargo 1.4.0: XML, a lease of 0 s, empty elements for what is not set, no timestamps. */
const go = (
  status: string,
) => `<instance><instanceId>127.0.0.1:goapp:9998</instanceId><hostName>127.0.0.1</hostName>
<app>GOAPP</app><ipAddr>127.0.0.1</ipAddr><vipAddress>goapp</vipAddress><secureVipAddress></secureVipAddress>
<status>${status}</status><overriddenstatus></overriddenstatus><homePageUrl></homePageUrl><statusPageUrl></statusPageUrl>
<healthCheckUrl></healthCheckUrl><countryId>0</countryId><dataCenterInfo><name>MyOwn</name><metadata></metadata></dataCenterInfo>
<leaseInfo><renewalIntervalInSecs>0</renewalIntervalInSecs><durationInSecs>0</durationInSecs>
<registrationTimestamp>0</registrationTimestamp><lastRenewalTimestamp>0</lastRenewalTimestamp>
<evictionTimestamp>0</evictionTimestamp><serviceUpTimestamp>0</serviceUpTimestamp></leaseInfo>
<metadata><subgraph>goapp</subgraph></metadata><port enabled="true">9998</port><securePort enabled="false">0</securePort></instance>`;

/** As Steeltoe's JsonInstanceInfo is serialised: booleans and numbers for what Java writes as text, nulls for the rest. */
const dotnet = (status: string, at: number) => ({
  instance: {
    instanceId: 'dot:netapp:5000',
    app: 'NETAPP',
    appGroupName: null,
    ipAddr: '127.0.0.1',
    sid: 'na',
    port: { '@enabled': true, $: 5000 },
    securePort: { '@enabled': false, $: 443 },
    homePageUrl: null,
    statusPageUrl: 'http://dot:5000/info',
    healthCheckUrl: 'http://dot:5000/health',
    secureHealthCheckUrl: null,
    vipAddress: 'netapp',
    secureVipAddress: 'netapp',
    countryId: 1,
    dataCenterInfo: myOwn,
    hostName: 'dot',
    status,
    overriddenStatus: 'UNKNOWN',
    leaseInfo: { renewalIntervalInSecs: 30, durationInSecs: 90, ...unset },
    isCoordinatingDiscoveryServer: false,
    metadata: { subgraph: 'netapp' },
    lastUpdatedTimestamp: at,
    lastDirtyTimestamp: at,
    actionType: 'ADDED',
    asgName: null,
  },
});

/** As quarkus-eureka sends it: ports as text, no lease, no timestamps, and no id but the host's name. */
const quarkus = {
  instance: {
    hostName: 'quark',
    app: 'QUARKAPP',
    vipAddress: 'quarkapp',
    secureVipAddress: 'quarkapp',
    ipAddr: '127.0.0.1',
    status: 'UP',
    port: { $: '8080', '@enabled': 'true' },
    securePort: { $: '8443', '@enabled': 'false' },
    healthCheckUrl: 'http://quark:8080/q/health',
    statusPageUrl: 'http://quark:8080/info/status',
    homePageUrl: 'http://quark:8080',
    dataCenterInfo: myOwn,
  },
};

const json = { 'content-type': 'application/json' };
const clients: Record<string, Client> = {
  'py-eureka-client': {
    app: 'PYAPP',
    instanceId: '127.0.0.1:pyapp:9999',
    headers: { ...json, 'accept-encoding': 'gzip, deflate' },
    moments: [
      { when: 'starts', send: ['POST', '', python('UP', '1700000000000')], answer: 204, status: 'UP' },
      {
        when: 'renews',
        send: ['PUT', '/127.0.0.1%3Apyapp%3A9999?status=UP&lastDirtyTimestamp=1700000000000'],
        answer: 200,
        status: 'UP',
      },
      { when: 'stops', send: ['POST', '', python('DOWN', '1700000004000')], answer: 204, status: 'DOWN' },
      { when: 'leaves', send: ['DELETE', '/127.0.0.1%3Apyapp%3A9999'], answer: 200, status: undefined },
      {
        when: 'renews what has gone',
        send: ['PUT', '/127.0.0.1%3Apyapp%3A9999?status=UP&lastDirtyTimestamp=1700000000000'],
        answer: 404,
        status: undefined,
      },
    ],
  },
  fargo: {
    app: 'GOAPP',
    instanceId: '127.0.0.1:goapp:9998',
    headers: { 'content-type': 'application/xml', accept: 'application/xml' },
    moments: [
      { when: 'looks for itself', send: ['GET', '/127.0.0.1:goapp:9998'], answer: 404, status: undefined },
      { when: 'starts', send: ['POST', '', go('STARTING')], answer: 204, status: 'STARTING' },
      { when: 'renews', send: ['PUT', '/127.0.0.1:goapp:9998'], answer: 200, status: 'STARTING' },
      { when: 'registers anew', send: ['POST', '', go('UP')], answer: 204, status: 'UP' },
      {
        when: 'is to rest',
        send: ['PUT', '/127.0.0.1:goapp:9998/status?value=OUT_OF_SERVICE'],
        answer: 200,
        status: 'OUT_OF_SERVICE',
      },
      { when: 'is back', send: ['PUT', '/127.0.0.1:goapp:9998/status?value=UP'], answer: 200, status: 'UP' },
      {
        when: 'says its version',
        send: ['PUT', '/127.0.0.1:goapp:9998/metadata?version=2'],
        answer: 200,
        status: 'UP',
      },
      { when: 'leaves', send: ['DELETE', '/127.0.0.1:goapp:9998'], answer: 200, status: undefined },
    ],
  },
  Steeltoe: {
    app: 'NETAPP',
    instanceId: 'dot:netapp:5000',
    headers: { ...json, accept: 'application/json' },
    moments: [
      {
        when: 'starts',
        send: ['POST', '', dotnet('OUT_OF_SERVICE', 1_700_000_000_000)],
        answer: 204,
        status: 'OUT_OF_SERVICE',
      },
      { when: 'is ready', send: ['POST', '', dotnet('UP', 1_700_000_001_000)], answer: 204, status: 'UP' },
      {
        when: 'renews',
        send: ['PUT', '/dot:netapp:5000?status=UP&lastDirtyTimestamp=1700000001000'],
        answer: 200,
        status: 'UP',
      },
      {
        when: 'has changed',
        send: ['PUT', '/dot:netapp:5000?status=UP&lastDirtyTimestamp=1700000002000'],
        answer: 404,
        status: 'UP',
      },
      {
        when: 'registers that',
        send: ['POST', '', dotnet('DOWN', 1_700_000_002_000)],
        answer: 204,
        status: 'DOWN',
      },
      { when: 'leaves', send: ['DELETE', '/dot:netapp:5000'], answer: 200, status: undefined },
    ],
  },
  'quarkus-eureka': {
    app: 'QUARKAPP',
    instanceId: 'quark',
    headers: { ...json, accept: 'application/json' },
    moments: [
      { when: 'looks for itself', send: ['GET', ''], answer: 404, status: undefined },
      { when: 'starts', send: ['POST', '', quarkus], answer: 204, status: 'UP' },
      { when: 'renews', send: ['PUT', '/quark'], answer: 200, status: 'UP' },
      { when: 'leaves', send: ['DELETE', '/quark'], answer: 200, status: undefined },
    ],
  },
};

describe('what a client sends is taken for what it means there', () => {
  async function statusOf(url: string, app: string, id: string): Promise<string | undefined> {
    const path = `${url}/eureka/apps/${app}/${encodeURIComponent(id)}`;
    const response = await fetch(path, { headers: { accept: 'application/json' } });
    if (response.status === 404) return undefined;
    return ((await response.json()) as { instance: { status: string } }).instance.status;
  }

  test.each(Object.entries(clients))('%s', async (_name, { app, headers, instanceId, moments }) => {
    const { url } = await startDiscoveryProcess();
    for (const { when, send, answer, status } of moments) {
      const [method, path, body] = send;
      const response = await fetch(`${url}/eureka/apps/${app}${path}`, {
        method,
        headers,
        body: body === undefined ? null : typeof body === 'string' ? body : JSON.stringify(body),
      });
      const text = await response.text();
      expect({
        when,
        answer: response.status,
        text: response.status === 400 ? text : '',
        status: await statusOf(url, app, instanceId),
      }).toEqual({
        when,
        answer,
        text: '',
        status,
      });
    }
  });
});
