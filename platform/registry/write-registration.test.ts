import { expect, test } from 'vitest';
import { writeRegistration } from './write-registration.ts';

test.each([
  ['10.0.0.1', '10.0.0.1'],
  ['fd00::1', '[fd00::1]'],
])('a process at %s registers addresses that can be read', (host, inUrl) => {
  const registration = {
    service: 'orders',
    host,
    port: 4001,
    metadata: { 'management.port': '8081' },
    lease: { renewalIntervalSeconds: 5, durationSeconds: 15 },
  };
  const { instance } = writeRegistration(registration, 'UP', 1);
  expect(instance).toMatchObject({
    hostName: host,
    ipAddr: host,
    homePageUrl: `http://${inUrl}:4001/`,
    statusPageUrl: `http://${inUrl}:8081/actuator/info`,
    healthCheckUrl: `http://${inUrl}:8081/actuator/health`,
  });
  for (const url of [instance.homePageUrl, instance.healthCheckUrl])
    expect(URL.canParse(url), url).toBe(true);
});
