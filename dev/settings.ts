import { join } from 'node:path';
import * as z from 'zod';
import { loadConfig, port, wholeNumber } from '../platform/config.ts';
import { tlsSettings } from '../platform/tls/settings.ts';
import {
  type DatabaseUrlVariable,
  databaseUrlVariable,
  type ServiceName,
  serviceNames,
} from '../services.ts';

/** Root folder of the project. */
export const rootDir = join(import.meta.dirname, '..');

/** Settings that name a database for each service. */
const databaseUrls = Object.fromEntries(
  serviceNames.map(service => [
    databaseUrlVariable(service),
    z.string().optional().describe(`PostgreSQL database of ${service} to use.`),
  ]),
) as Record<DatabaseUrlVariable, z.ZodOptional<z.ZodString>>;

/** Settings of the system on one machine. What is given from outside is not started here. */
const systemSettings = z.object({
  GATEWAY_PORT: port(4000).describe('Port of the graph.'),
  // The gateway reads it by itself; here it tells how the graph is reached.
  TLS_CERT_FILE: tlsSettings.shape.TLS_CERT_FILE,
  DISCOVERY_PORT: port(8761).describe('Port of the registry.'),
  POSTGRES_PORT: port(54320).describe('Port of the embedded PostgreSQL.'),
  KAFKA_PORT: port(9092).describe('Port of the embedded broker.'),
  SUBGRAPH_BASE_PORT: wholeNumber(4001, { max: 65_000 }).describe(
    'Port of the first subgraph, the others follow; 0 takes free ones. A second instance of one always takes a free one.',
  ),
  MANAGEMENT_BASE_PORT: wholeNumber(14_000, { max: 65_000 }).describe(
    'Port of /actuator of the gateway, the subgraphs and discovery follow; 0 takes free ones.',
  ),
  EUREKA_URL: z.string().optional().describe('Base address of a registry to use; unset starts ours.'),
  KAFKA_BROKERS: z.string().optional().describe('Brokers to use; unset starts the embedded one.'),
  ...databaseUrls,
  PORTICO_DATA_DIR: z
    .string()
    .default(join(rootDir, '.portico'))
    .describe('Folder of the data, keys and logs of the embedded parts.'),
});

/** Settings of the system on one machine. */
export type SystemSettings = Readonly<z.infer<typeof systemSettings>>;

/** Reads the settings from an environment. @throws ConfigError listing every bad key */
export function loadSystemSettings(env: Record<string, string | undefined>): SystemSettings {
  return loadConfig(systemSettings, env);
}

/** Address of the graph at a port of this machine. */
export function graphUrlOf({ TLS_CERT_FILE }: SystemSettings, graphPort: number): string {
  return `${TLS_CERT_FILE === undefined ? 'http' : 'https'}://127.0.0.1:${graphPort}/graphql`;
}

/** Reads the database that a service is told to use, if there is one. */
export function givenDatabaseUrl(settings: SystemSettings, service: ServiceName): string | undefined {
  return settings[databaseUrlVariable(service)];
}
