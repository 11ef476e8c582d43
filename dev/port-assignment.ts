import { serviceNames } from '../services.ts';
import type { NeededPort } from './ports.ts';
import { givenDatabaseUrl, type SystemSettings } from './settings.ts';

/** Places of the management ports, after MANAGEMENT_BASE_PORT. Subgraphs stand between the two, from 1. */
export const gatewayIndex = 0;
export const discoveryIndex = serviceNames.length + 1;

/** Port of /actuator of the process at a place. @returns 0 for a free one */
export function managementPort({ MANAGEMENT_BASE_PORT }: SystemSettings, index: number): number {
  return MANAGEMENT_BASE_PORT === 0 ? 0 : MANAGEMENT_BASE_PORT + index;
}

/** Port of the subgraph at a place of `serviceNames`. @returns 0 for a free one */
export function subgraphPort({ SUBGRAPH_BASE_PORT }: SystemSettings, index: number): number {
  return SUBGRAPH_BASE_PORT === 0 ? 0 : SUBGRAPH_BASE_PORT + index;
}

/** Lists the ports that the system takes, without those of parts that are given from outside. */
export function portsOf(settings: SystemSettings): NeededPort[] {
  const given = serviceNames.every(name => givenDatabaseUrl(settings, name));
  return [
    { name: 'gateway', port: settings.GATEWAY_PORT, setting: 'GATEWAY_PORT' },
    {
      name: "the gateway's management",
      port: managementPort(settings, gatewayIndex),
      setting: 'MANAGEMENT_BASE_PORT',
    },
    ...(settings.EUREKA_URL
      ? []
      : [
          { name: 'discovery', port: settings.DISCOVERY_PORT, setting: 'DISCOVERY_PORT' },
          {
            name: "discovery's management",
            port: managementPort(settings, discoveryIndex),
            setting: 'MANAGEMENT_BASE_PORT',
          },
        ]),
    ...(given ? [] : [{ name: 'postgres', port: settings.POSTGRES_PORT, setting: 'POSTGRES_PORT' }]),
    ...(settings.KAFKA_BROKERS ? [] : [{ name: 'kafka', port: settings.KAFKA_PORT, setting: 'KAFKA_PORT' }]),
    ...serviceNames.flatMap((name, index) => [
      { name, port: subgraphPort(settings, index), setting: 'SUBGRAPH_BASE_PORT' },
      {
        name: `the management of ${name}`,
        port: managementPort(settings, index + 1),
        setting: 'MANAGEMENT_BASE_PORT',
      },
    ]),
  ];
}
