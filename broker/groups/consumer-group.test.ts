import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { ErrorCode } from '../errors.ts';
import { ConsumerGroup } from './consumer-group.ts';
import type { JoinReply, JoinRequest } from './member.ts';

const initialDelayMs = 50;
const sessionTimeoutMs = 10_000;
const rebalanceTimeoutMs = 60_000;

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

function startGroup() {
  const onEmpty = vi.fn();
  const group = new ConsumerGroup({
    initialRebalanceDelayMs: initialDelayMs,
    minSessionTimeoutMs: 1000,
    onEmpty,
  });
  return { group, onEmpty };
}

const joinRequest = (fields: Partial<JoinRequest> = {}): JoinRequest => ({
  memberId: '',
  clientId: 'client',
  clientHost: '127.0.0.1',
  sessionTimeoutMs: sessionTimeoutMs,
  rebalanceTimeoutMs: rebalanceTimeoutMs,
  protocolType: 'consumer',
  protocols: [{ name: 'roundrobin', metadata: Buffer.from('topics') }],
  ...fields,
});

/** Lets a client get an id and join with it. */
async function join(group: ConsumerGroup, fields: Partial<JoinRequest> = {}) {
  const { memberId } = await group.join(joinRequest(fields));
  return { memberId, joined: group.join(joinRequest({ ...fields, memberId })) };
}

/** Brings a group of `size` members to the state Stable; the first of the ids is the leader's. */
async function startStableGroup(size: number) {
  const { group, onEmpty } = startGroup();
  const joins: { memberId: string; joined: Promise<JoinReply> }[] = [];
  for (let count = 0; count < size; count++) joins.push(await join(group));
  await vi.advanceTimersByTimeAsync(initialDelayMs);
  const ids = joins.map(({ memberId }) => memberId);
  const { generation } = (await Promise.all(joins.map(({ joined }) => joined)))[0] as JoinReply;
  await syncAll(group, ids, generation);
  return { group, onEmpty, generation, ids, leaderId: ids[0] ?? '', followerId: ids[1] ?? '' };
}

/** Lets the leader, the first of `ids`, give each member its own id as its assignment. */
function syncAll(group: ConsumerGroup, ids: string[], generation: number) {
  const assignments = new Map(ids.map(id => [id, Buffer.from(id)]));
  const followers = ids.slice(1).map(id => group.sync(id, generation, new Map()));
  return Promise.all([group.sync(ids[0] ?? '', generation, assignments), ...followers]);
}

describe('joining', () => {
  test('gives a client without an id one, and takes it in with that alone', async () => {
    const { group } = startGroup();
    const invited = await group.join(joinRequest());
    expect(invited.error).toBe(ErrorCode.MEMBER_ID_REQUIRED);
    expect(invited.memberId).toMatch(/^client-/);
    expect((await group.join(joinRequest({ memberId: 'made up' }))).error).toBe(ErrorCode.UNKNOWN_MEMBER_ID);
    expect(group.members).toHaveLength(0);
    void group.join(joinRequest({ memberId: invited.memberId }));
    expect(group.members).toHaveLength(1);
  });

  test('begins the first generation after a delay, with all who came meanwhile', async () => {
    const { group } = startGroup();
    const first = await join(group);
    await vi.advanceTimersByTimeAsync(initialDelayMs - 1);
    const second = await join(group);
    expect(group.stateName).toBe('PreparingRebalance');
    await vi.advanceTimersByTimeAsync(1);
    expect(group.stateName).toBe('CompletingRebalance');
    expect([(await first.joined).generation, (await second.joined).generation]).toEqual([1, 1]);
  });

  test('makes the oldest member the leader, and tells it alone who the members are', async () => {
    const { group } = startGroup();
    const first = await join(group);
    const second = await join(group);
    await vi.advanceTimersByTimeAsync(initialDelayMs);
    const ids = [first.memberId, second.memberId];
    expect(await first.joined).toMatchObject({ leaderId: ids[0], protocol: 'roundrobin' });
    expect((await first.joined).members.map(({ memberId }) => memberId)).toEqual(ids);
    expect(await second.joined).toMatchObject({ leaderId: ids[0], members: [] });
  });

  test('settles on a protocol that all members offer', async () => {
    const { group } = startGroup();
    const offer = (...names: string[]) => ({
      protocols: names.map(name => ({ name, metadata: Buffer.from(name) })),
    });
    const first = await join(group, offer('sticky', 'range'));
    await join(group, offer('range', 'roundrobin'));
    await vi.advanceTimersByTimeAsync(initialDelayMs);
    const reply = await first.joined;
    expect(reply.protocol).toBe('range');
    expect(reply.members.map(({ metadata }) => metadata.toString())).toEqual(['range', 'range']);
  });

  test.each<[string, Partial<JoinRequest>, ErrorCode]>([
    ['no protocol in common', { protocols: [{ name: 'other', metadata: Buffer.alloc(0) }] }, 23],
    ['no protocol at all', { protocols: [] }, ErrorCode.INCONSISTENT_GROUP_PROTOCOL],
    ['another type of group in mind', { protocolType: 'connect' }, ErrorCode.INCONSISTENT_GROUP_PROTOCOL],
    ['too short a session timeout', { sessionTimeoutMs: 999 }, ErrorCode.INVALID_SESSION_TIMEOUT],
    ['too long a session timeout', { sessionTimeoutMs: 1_800_001 }, ErrorCode.INVALID_SESSION_TIMEOUT],
  ])('refuses a client with %s', async (_, fields, error) => {
    const { group } = await startStableGroup(1);
    expect((await group.join(joinRequest(fields))).error).toBe(error);
    expect(group.stateName).toBe('Stable');
  });

  test('again answers a request that the member sent before, over a connection that broke', async () => {
    const { group } = startGroup();
    const { memberId, joined } = await join(group);
    void group.join(joinRequest({ memberId }));
    expect((await joined).error).toBe(ErrorCode.REBALANCE_IN_PROGRESS);
  });
});

describe('sharing out', () => {
  test('gives each member its part, also one that asks later', async () => {
    const { group } = startGroup();
    const joins = [await join(group), await join(group), await join(group)];
    await vi.advanceTimersByTimeAsync(initialDelayMs);
    const [leader = '', early = '', late = ''] = joins.map(({ memberId }) => memberId);
    const waiting = group.sync(early, 1, new Map());
    expect(group.stateName).toBe('CompletingRebalance');
    const parts = new Map([leader, early, late].map(id => [id, Buffer.from(`part of ${id}`)]));
    expect((await group.sync(leader, 1, parts)).assignment.toString()).toBe(`part of ${leader}`);
    expect((await waiting).assignment.toString()).toBe(`part of ${early}`);
    expect((await group.sync(late, 1, new Map())).assignment.toString()).toBe(`part of ${late}`);
    expect(group.stateName).toBe('Stable');
  });

  test('begins anew when the leader is gone before it decided', async () => {
    const { group } = startGroup();
    const leader = await join(group);
    const follower = await join(group, { sessionTimeoutMs: 3 * sessionTimeoutMs });
    await vi.advanceTimersByTimeAsync(initialDelayMs);
    await leader.joined;
    const waiting = group.sync(follower.memberId, 1, new Map());
    await vi.advanceTimersByTimeAsync(sessionTimeoutMs);
    expect((await waiting).error).toBe(ErrorCode.REBALANCE_IN_PROGRESS);
    const rejoined = group.join(joinRequest({ memberId: follower.memberId }));
    expect(await rejoined).toMatchObject({ generation: 2, leaderId: follower.memberId });
  });
});

describe('a stable group', () => {
  test('has its members join again when another comes, and goes on as soon as all have', async () => {
    const { group, leaderId, followerId, generation } = await startStableGroup(2);
    const third = await join(group);
    expect(group.heartbeat(followerId, generation)).toBe(ErrorCode.REBALANCE_IN_PROGRESS);
    void group.join(joinRequest({ memberId: leaderId }));
    expect(group.stateName).toBe('PreparingRebalance');
    void group.join(joinRequest({ memberId: followerId }));
    expect(await third.joined).toMatchObject({ generation: generation + 1, leaderId });
  });

  test('goes on without those who do not join again within the rebalance timeout', async () => {
    const { group, leaderId, followerId, generation } = await startStableGroup(2);
    const third = await join(group, { sessionTimeoutMs: 2 * rebalanceTimeoutMs });
    void group.join(joinRequest({ memberId: leaderId }));
    for (let waitedMs = 0; waitedMs < rebalanceTimeoutMs; waitedMs += sessionTimeoutMs / 2) {
      expect(group.heartbeat(followerId, generation)).toBe(ErrorCode.REBALANCE_IN_PROGRESS);
      await vi.advanceTimersByTimeAsync(sessionTimeoutMs / 2);
    }
    expect((await third.joined).generation).toBe(generation + 1);
    expect(group.members.map(({ id }) => id)).toEqual([leaderId, third.memberId]);
    expect(group.heartbeat(followerId, generation)).toBe(ErrorCode.UNKNOWN_MEMBER_ID);
  });

  test('waits for a client that was given an id, until its session timeout', async () => {
    const { group, leaderId, generation } = await startStableGroup(1);
    await group.join(joinRequest());
    const changed = { protocols: [{ name: 'roundrobin', metadata: Buffer.from('other topics') }] };
    const rejoined = group.join(joinRequest({ memberId: leaderId, ...changed }));
    await vi.advanceTimersByTimeAsync(sessionTimeoutMs - 1);
    expect(group.stateName).toBe('PreparingRebalance');
    await vi.advanceTimersByTimeAsync(1);
    expect((await rejoined).generation).toBe(generation + 1);
  });

  test('takes out a member that is silent for its session timeout, and only that', async () => {
    const { group, leaderId, followerId, generation } = await startStableGroup(2);
    await vi.advanceTimersByTimeAsync(sessionTimeoutMs - 1);
    expect(group.heartbeat(leaderId, generation)).toBe(ErrorCode.NONE);
    await vi.advanceTimersByTimeAsync(1);
    expect(group.heartbeat(followerId, generation)).toBe(ErrorCode.UNKNOWN_MEMBER_ID);
    expect(group.heartbeat(leaderId, generation)).toBe(ErrorCode.REBALANCE_IN_PROGRESS);
  });

  test.each<[string, (group: ConsumerGroup, id: string, generation: number) => unknown]>([
    ['sends heartbeats', (group, id, generation) => group.heartbeat(id, generation)],
    ['commits offsets', (group, id, generation) => group.admitCommit(id, generation)],
    ['asks for its part', (group, id, generation) => group.sync(id, generation, new Map())],
  ])('keeps a member that %s', async (_, showLife) => {
    const { group, leaderId, generation } = await startStableGroup(1);
    for (let round = 0; round < 5; round++) {
      await vi.advanceTimersByTimeAsync(sessionTimeoutMs - 1);
      showLife(group, leaderId, generation);
    }
    expect(group.members).toHaveLength(1);
  });

  test('has the others join again when a member leaves', async () => {
    const { group, leaderId, followerId, generation } = await startStableGroup(2);
    expect(group.leave(leaderId)).toBe(ErrorCode.NONE);
    expect(group.leave(leaderId)).toBe(ErrorCode.UNKNOWN_MEMBER_ID);
    expect(group.heartbeat(followerId, generation)).toBe(ErrorCode.REBALANCE_IN_PROGRESS);
    const reply = await group.join(joinRequest({ memberId: followerId }));
    expect(reply).toMatchObject({ generation: generation + 1, leaderId: followerId });
  });

  test('gives a follower that joins again the present generation, and begins a new one for its leader', async () => {
    const { group, leaderId, followerId, generation } = await startStableGroup(2);
    expect(await group.join(joinRequest({ memberId: followerId }))).toMatchObject({ generation, leaderId });
    expect(group.stateName).toBe('Stable');
    void group.join(joinRequest({ memberId: leaderId }));
    expect(group.stateName).toBe('PreparingRebalance');
  });

  test('begins a new generation for a follower that offers something else than before', async () => {
    const { group, followerId } = await startStableGroup(2);
    const protocols = [{ name: 'roundrobin', metadata: Buffer.from('more topics') }];
    void group.join(joinRequest({ memberId: followerId, protocols }));
    expect(group.stateName).toBe('PreparingRebalance');
  });

  test('refuses what comes from an earlier generation or from nobody it knows', async () => {
    const { group, leaderId, generation } = await startStableGroup(1);
    expect(group.heartbeat(leaderId, generation - 1)).toBe(ErrorCode.ILLEGAL_GENERATION);
    expect(group.admitCommit(leaderId, generation + 1)).toBe(ErrorCode.ILLEGAL_GENERATION);
    expect((await group.sync('nobody', generation, new Map())).error).toBe(ErrorCode.UNKNOWN_MEMBER_ID);
    expect(group.admitCommit('nobody', generation)).toBe(ErrorCode.UNKNOWN_MEMBER_ID);
  });

  test('lets offsets be committed while it prepares a rebalance, but not before the leader has decided', async () => {
    const { group, leaderId, generation } = await startStableGroup(1);
    const { joined } = await join(group);
    expect(group.admitCommit(leaderId, generation)).toBe(ErrorCode.NONE);
    void group.join(joinRequest({ memberId: leaderId }));
    await joined;
    expect(group.admitCommit(leaderId, generation + 1)).toBe(ErrorCode.REBALANCE_IN_PROGRESS);
  });
});

describe('the end', () => {
  test('is told when the last member has left, and leaves no timer', async () => {
    const { group, onEmpty, leaderId, followerId } = await startStableGroup(2);
    group.leave(leaderId);
    expect(onEmpty).not.toHaveBeenCalled();
    group.leave(followerId);
    expect(onEmpty).toHaveBeenCalled();
    expect(group.stateName).toBe('Empty');
    expect(vi.getTimerCount()).toBe(0);
  });

  test('is told when the only client that was invited never came', async () => {
    const { group, onEmpty } = startGroup();
    await group.join(joinRequest());
    expect(onEmpty).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(sessionTimeoutMs);
    expect(onEmpty).toHaveBeenCalledOnce();
  });

  test('is told when a client was refused that would have been the first', async () => {
    const { group, onEmpty } = startGroup();
    await group.join(joinRequest({ sessionTimeoutMs: 1 }));
    expect(onEmpty).toHaveBeenCalledOnce();
  });

  test('by closing answers all who wait, and leaves no timer', async () => {
    const { group, followerId, generation } = await startStableGroup(2);
    const third = await join(group);
    await join(group);
    group.close();
    expect((await third.joined).error).toBe(ErrorCode.COORDINATOR_NOT_AVAILABLE);
    expect(group.heartbeat(followerId, generation)).toBe(ErrorCode.UNKNOWN_MEMBER_ID);
    expect(vi.getTimerCount()).toBe(0);
  });
});

test.each([1, 2, 3, 4, 5])(
  'whatever members do, everyone is answered and no timer is left (seed %i)',
  async seed => {
    const { group } = startGroup();
    const random = (below: number) => {
      seed = (seed * 48_271) % 2_147_483_647;
      return seed % below;
    };
    let unanswered = 0;
    const count = (reply: Promise<unknown>) => {
      unanswered++;
      void reply.then(() => unanswered--);
    };
    const ids: string[] = [];
    for (let step = 0; step < 500; step++) {
      const memberId = ids.at(-1 - random(4)) ?? '';
      const actions = [
        () => void group.join(joinRequest()).then(invited => ids.push(invited.memberId)),
        () => count(group.join(joinRequest({ memberId }))),
        () => count(group.sync(memberId, random(20), new Map())),
        () => group.heartbeat(memberId, random(20)),
        () => group.leave(memberId),
      ];
      actions[random(actions.length)]?.();
      await vi.advanceTimersByTimeAsync(random(sessionTimeoutMs / 10));
    }
    group.close();
    await vi.advanceTimersByTimeAsync(0);
    expect(unanswered).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  },
);
