import { Writer } from '../codec.ts';
import { ErrorCode } from '../errors.ts';
import { type Api, noThrottleMs } from './api.ts';

/** Makes a client a member of a group; answered when the group's next generation begins. */
export const joinGroup: Api = {
  key: 11,
  name: 'JoinGroup',
  versions: [5, 5],
  async handle({ reader, clientId, clientHost }, { groups }) {
    const groupId = reader.string();
    const [sessionTimeoutMs, rebalanceTimeoutMs] = [reader.int32(), reader.int32()];
    const memberId = reader.string();
    reader.nullableString(); // Group instance id.
    const protocolType = reader.string();
    // A copy, as a member outlives its request.
    const protocols = reader.array(() => ({ name: reader.string(), metadata: Buffer.from(reader.bytes()) }));
    const timeouts = { sessionTimeoutMs, rebalanceTimeoutMs };
    const reply = await groups
      .getOrCreate(groupId)
      .join({ memberId, clientId, clientHost, ...timeouts, protocolType, protocols });
    const writer = new Writer().int32(noThrottleMs).int16(reply.error).int32(reply.generation);
    writer.string(reply.protocol).string(reply.leaderId).string(reply.memberId);
    return writer.array(reply.members, member =>
      writer.string(member.memberId).string(null).bytes(member.metadata),
    );
  },
};

/** Takes the leader's decision, and gives each member its part of it. */
export const syncGroup: Api = {
  key: 14,
  name: 'SyncGroup',
  versions: [3, 3],
  async handle({ reader }, { groups }) {
    const [groupId, generation, memberId] = [reader.string(), reader.int32(), reader.string()];
    reader.nullableString(); // Group instance id.
    const assignments = new Map(reader.array(() => [reader.string(), Buffer.from(reader.bytes())]));
    const reply = (await groups.get(groupId)?.sync(memberId, generation, assignments)) ?? {
      error: ErrorCode.UNKNOWN_MEMBER_ID,
      assignment: Buffer.alloc(0),
    };
    return new Writer().int32(noThrottleMs).int16(reply.error).bytes(reply.assignment);
  },
};

/** Shows that a member lives, and tells it when to join again. */
export const heartbeat: Api = {
  key: 12,
  name: 'Heartbeat',
  versions: [1, 3],
  handle({ reader }, { groups }) {
    const [groupId, generation, memberId] = [reader.string(), reader.int32(), reader.string()];
    const error = groups.get(groupId)?.heartbeat(memberId, generation) ?? ErrorCode.UNKNOWN_MEMBER_ID;
    return new Writer().int32(noThrottleMs).int16(error);
  },
};

/** Ends memberships: of one member, or from version 3 on of several. */
export const leaveGroup: Api = {
  key: 13,
  name: 'LeaveGroup',
  versions: [1, 3],
  handle({ reader, version }, { groups }) {
    const groupId = reader.string();
    const leave = (memberId: string) => groups.get(groupId)?.leave(memberId) ?? ErrorCode.UNKNOWN_MEMBER_ID;
    const writer = new Writer().int32(noThrottleMs);
    if (version < 3) return writer.int16(leave(reader.string()));
    const members = reader.array(() => ({ id: reader.string(), instanceId: reader.nullableString() }));
    return writer
      .int16(ErrorCode.NONE)
      .array(members, ({ id, instanceId }) => writer.string(id).string(instanceId).int16(leave(id)));
  },
};
