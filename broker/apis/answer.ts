import { InvalidRequestError, Reader, Writer } from '../codec.ts';
import { ErrorCode } from '../errors.ts';
import { type Api, type BrokerState, noThrottleMs } from './api.ts';
import { describeConfigs } from './configs.ts';
import { fetch } from './fetch.ts';
import { deleteGroups, describeGroups, findCoordinator, listGroups } from './group-admin.ts';
import { heartbeat, joinGroup, leaveGroup, syncGroup } from './group-membership.ts';
import { offsetCommit, offsetFetch } from './group-offsets.ts';
import { listOffsets } from './list-offsets.ts';
import { metadata } from './metadata.ts';
import { produce } from './produce.ts';
import { initProducerId } from './producer-ids.ts';
import { createTopics, deleteTopics } from './topics.ts';

/** Tells clients which APIs are spoken, and in which versions. */
const apiVersions: Api = {
  key: 18,
  name: 'ApiVersions',
  versions: [0, 2],
  handle({ version }) {
    const writer = writeApis(ErrorCode.NONE);
    return version >= 1 ? writer.int32(noThrottleMs) : writer;
  },
};

const topicApis = [metadata, createTopics, deleteTopics, describeConfigs];
const recordApis = [produce, initProducerId, fetch, listOffsets];
const memberApis = [findCoordinator, joinGroup, syncGroup, heartbeat, leaveGroup, offsetCommit, offsetFetch];
const groupApis = [describeGroups, listGroups, deleteGroups];
const apis = [apiVersions].concat(topicApis, recordApis, memberApis, groupApis);

const apiByKey = new Map(apis.map(api => [api.key, api]));

/**
 * Answers one request: a frame without its size.
 *
 * @returns the response, also without its size, or nothing where the protocol wants no response
 * @throws InvalidRequestError when the request cannot be read or is not of a version that is spoken
 * @see https://kafka.apache.org/protocol#protocol_messages
 */
export async function answer(
  frame: Buffer,
  clientHost: string,
  broker: BrokerState,
): Promise<Writer | undefined> {
  const reader = new Reader(frame);
  const [key, version, correlationId] = [reader.int16(), reader.int16(), reader.int32()];
  const header = new Writer().int32(correlationId);
  const api = apiByKey.get(key);
  if (api && version >= api.versions[0] && version <= api.versions[1]) {
    const clientId = reader.nullableString() ?? '';
    const body = await api.handle({ version, clientId, clientHost, reader }, broker);
    return body && header.append(body);
  }
  // A newer client learns from the oldest form of the answer which version to use instead (KIP-511).
  if (api === apiVersions) return header.append(writeApis(ErrorCode.UNSUPPORTED_VERSION));
  throw new InvalidRequestError(`${api?.name ?? `API ${key}`} version ${version} is not spoken`);
}

function writeApis(error: ErrorCode): Writer {
  const writer = new Writer().int16(error);
  return writer.array(apis, ({ key, versions: [oldest, newest] }) =>
    writer.int16(key).int16(oldest).int16(newest),
  );
}
