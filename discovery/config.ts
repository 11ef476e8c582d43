import * as z from 'zod';
import {
  commaSeparated,
  durationMs,
  flag,
  port,
  processSettings,
  urlSetting,
  wholeNumber,
} from '../platform/config.ts';

/** Settings of the registry. */
export const discoverySettings = processSettings.extend({
  DISCOVERY_PORT: port(8761).describe(
    'Port of the Eureka API, the change stream, Prometheus discovery and the dashboard.',
  ),
  DISCOVERY_TOKEN: z
    .string()
    .min(8)
    .optional()
    .describe(
      'What writers must show, as a bearer token or as the password of basic auth; unset lets everybody write.',
    ),
  DISCOVERY_READS_NEED_TOKEN: flag(false).describe(
    'Whether readers must show the token too, the dashboard included.',
  ),
  DISCOVERY_PEERS: commaSeparated()
    .pipe(z.array(urlSetting('http:', 'https:')))
    .describe(
      'Base addresses of the other registries, such as http://host:8761/eureka; this one may be among them.',
    ),
  DISCOVERY_PEER_TIMEOUT_MS: durationMs(2_000).describe('Longest wait for an answer from another registry.'),
  DISCOVERY_WARMUP_MS: durationMs(40_000, { min: 0 }).describe(
    'How long after a start without a peer to copy from followers are told that the list may be incomplete; more than a renewal interval.',
  ),
  DISCOVERY_GATEWAY_APP: z
    .string()
    .default('GATEWAY')
    .describe('Application under which the gateway registers; the dashboard asks it how the graph is.'),
  DISCOVERY_MAX_INSTANCES: wholeNumber(20_000, { min: 1 }).describe('Instances that the registry takes.'),
  DISCOVERY_MAX_INSTANCES_PER_ADDRESS: wholeNumber(1_000, { max: 1_000_000 }).describe(
    'Instances that one address may have registered, of IPv6 one network of /64; 0 for as many as the registry takes. What registries at DISCOVERY_PEERS pass on does not count.',
  ),
  DISCOVERY_MAX_REGISTRATION_BYTES: wholeNumber(65_536, { min: 1_024 }).describe('Largest registration.'),
  DISCOVERY_MAX_FOLLOWERS: wholeNumber(1_000, { min: 1 }).describe(
    'Open change streams that the registry serves.',
  ),
  DISCOVERY_REPLAY_EVENTS: wholeNumber(4_096).describe(
    'Changes kept for followers that reconnect; one that missed more gets a snapshot.',
  ),
  DISCOVERY_FOLLOWER_BUFFER_BYTES: wholeNumber(4_194_304, { min: 65_536 }).describe(
    'Bytes that may wait for a slow follower beyond its snapshot before it is cut off.',
  ),
  DISCOVERY_SELF_PRESERVATION: flag(true).describe('Whether eviction pauses while the network is suspected.'),
  DISCOVERY_SELF_PRESERVATION_MIN_LATE_LEASES: wholeNumber(3, { min: 1 }).describe(
    'Fewer late leases than this are taken for crashes, whatever their share.',
  ),
  DISCOVERY_SELF_PRESERVATION_LATE_PERCENT: wholeNumber(30, { min: 1, max: 100 }).describe(
    'Share of late leases in percent above which the network is suspected rather than the instances.',
  ),
  DISCOVERY_SELF_PRESERVATION_MAX_MS: durationMs(300_000, { max: 86_400_000 }).describe(
    'Longest time that an expired lease is kept after its end.',
  ),
});

/** Settings of the registry; see {@link discoverySettings}. */
export type DiscoveryConfig = z.infer<typeof discoverySettings>;
