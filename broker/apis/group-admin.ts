import { Writer } from '../codec.ts';
import { ErrorCode } from '../errors.ts';
import { type Api, nodeId, noThrottleMs } from './api.ts';

const groupCoordinator = 0;
/** Told for a group without members, whose protocol is not known any more. */
const consumerProtocol = 'consumer';

/** Finds the broker that coordinates a group: this one. For a transaction there is none. */
export const findCoordinator: Api = {
  key: 10,
  name: 'FindCoordinator',
  // librdkafka uses groups only where version 0 is spoken.
  versions: [0, 2],
  handle({ reader, version }, { advertised }) {
    reader.string(); // Group id.
    const isForGroup = version === 0 || reader.int8() === groupCoordinator;
    const writer = new Writer();
    if (version >= 1) writer.int32(noThrottleMs);
    writer.int16(isForGroup ? ErrorCode.NONE : ErrorCode.INVALID_REQUEST);
    if (version >= 1) writer.string(isForGroup ? null : 'There are no transactions.');
    return writer.int32(nodeId).string(advertised.host).int32(advertised.port);
  },
};

/** Tells the state and the members of groups. */
export const describeGroups: Api = {
  key: 15,
  name: 'DescribeGroups',
  versions: [1, 2],
  handle({ reader }, { groups, offsets }) {
    const groupIds = reader.array(() => reader.string());
    const writer = new Writer().int32(noThrottleMs);
    return writer.array(groupIds, groupId => {
      const group = groups.get(groupId);
      const idleState = offsets.ofGroup(groupId).length > 0 ? 'Empty' : 'Dead';
      writer
        .int16(ErrorCode.NONE)
        .string(groupId)
        .string(group?.stateName ?? idleState);
      writer.string(group?.protocolType ?? '').string(group?.protocol ?? '');
      writer.array(group?.members ?? [], member => {
        writer.string(member.id).string(member.request.clientId).string(`/${member.request.clientHost}`);
        writer.bytes(member.metadataFor(group?.protocol ?? '')).bytes(member.assignment);
      });
    });
  },
};

/** Names all groups that have members or committed offsets. */
export const listGroups: Api = {
  key: 16,
  name: 'ListGroups',
  versions: [1, 2],
  handle(_request, { groups }) {
    const writer = new Writer().int32(noThrottleMs).int16(ErrorCode.NONE);
    return writer.array(groups.list(), groupId =>
      writer.string(groupId).string(groups.get(groupId)?.protocolType || consumerProtocol),
    );
  },
};

/** Forgets what groups without members have committed. */
export const deleteGroups: Api = {
  key: 42,
  name: 'DeleteGroups',
  versions: [0, 1],
  async handle({ reader }, { groups, offsets }) {
    const groupIds = reader.array(() => reader.string());
    const results = groupIds.map(groupId => {
      if (!groups.list().includes(groupId)) return { groupId, error: ErrorCode.GROUP_ID_NOT_FOUND };
      return { groupId, error: groups.get(groupId) ? ErrorCode.NON_EMPTY_GROUP : ErrorCode.NONE };
    });
    const deleted = results.filter(({ error }) => error === ErrorCode.NONE).map(({ groupId }) => groupId);
    await offsets.forget(({ groupId }) => deleted.includes(groupId));
    const writer = new Writer().int32(noThrottleMs);
    return writer.array(results, ({ groupId, error }) => writer.string(groupId).int16(error));
  },
};
