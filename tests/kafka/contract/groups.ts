import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import {
  createKafka,
  createTopic,
  startAdmin,
  startMember,
  startProducer,
  uniqueName,
  until,
} from '../clients.ts';

/** The shortest that Apache Kafka allows by default. */
const sessionTimeoutMs = 6000;

/** Starts a member of a group in a process of its own, so that it can be killed. */
async function startMemberProcess(brokers: string[], topic: string, groupId: string) {
  const config = JSON.stringify({ brokers, topic, groupId, sessionTimeout: sessionTimeoutMs });
  const program = join(import.meta.dirname, '..', 'member-process.ts');
  const child = fork(program, [config], { execArgv: ['--import', 'tsx'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  let partitions: number[] = [];
  child.on('message', (assigned: number[]) => {
    partitions = assigned;
  });
  return {
    partitions: () => partitions,
    /** Ends it without a LeaveGroup, as a crash does. */
    async crash() {
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}

/** Tests of consumer groups: who reads what, and from where. */
export function describeGroups(brokers: () => string[]): void {
  describe('a consumer group', () => {
    test('shares out the partitions anew when a member comes, leaves or crashes', async () => {
      const kafka = createKafka(brokers());
      const topic = await createTopic(kafka, 4);
      const producer = await startProducer(kafka);
      const send = (value: string) =>
        producer.send({ topic, messages: [0, 1, 2, 3].map(partition => ({ partition, value })) });
      const config = {
        groupId: uniqueName('group'),
        sessionTimeout: sessionTimeoutMs,
        heartbeatInterval: 200,
        rebalanceTimeout: 10_000,
      };
      const staying = await startMember(kafka, topic, config);
      await until(() => staying.partitions().length === 4, 'the only member to have all partitions');
      await send('for one');

      const leaving = await startMember(kafka, topic, config);
      const members = [staying, leaving];
      await until(
        () => members.every(member => member.partitions().length === 2),
        'both members to have two partitions',
      );
      expect(new Set(members.flatMap(member => member.partitions()))).toEqual(new Set([0, 1, 2, 3]));
      await send('for two');
      await until(
        () => members.every(({ received }) => received.some(({ value }) => String(value) === 'for two')),
        'a message for each',
      );

      await leaving.consumer.disconnect();
      await until(() => staying.partitions().length === 4, 'the member that stayed to have all partitions');

      const crashing = await startMemberProcess(brokers(), topic, config.groupId);
      await until(
        () => crashing.partitions().length === 2 && staying.partitions().length === 2,
        'a third member to have two partitions',
      );
      await crashing.crash();
      await send('for the survivor');
      await until(() => staying.partitions().length === 4, 'the member that survived to have all partitions');
      const survived = () => staying.received.filter(({ value }) => String(value) === 'for the survivor');
      await until(() => survived().length >= 4, 'the messages of the partitions that were taken over');
    });

    test('goes on after the offset that it has committed', async () => {
      const kafka = createKafka(brokers());
      const topic = await createTopic(kafka);
      const producer = await startProducer(kafka);
      const messages = [...Array(10).keys()].map(number => ({ value: String(number) }));
      await producer.send({ topic, messages });
      const config = { groupId: uniqueName('group') };
      const first = await startMember(kafka, topic, config);
      await until(() => first.received.length === 10, 'ten messages');
      await first.consumer.commitOffsets([
        { topic, partition: 0, offset: '4', metadata: 'four were handled' },
      ]);
      await first.consumer.disconnect();
      const admin = await startAdmin(kafka);
      expect(await admin.fetchOffsets({ groupId: config.groupId, topics: [topic] })).toEqual([
        { topic, partitions: [{ partition: 0, offset: '4', metadata: 'four were handled' }] },
      ]);
      const second = await startMember(kafka, topic, config);
      await until(() => second.received.length === 6, 'six messages');
      expect(second.received.map(({ value }) => Number(value))).toEqual([4, 5, 6, 7, 8, 9]);
    });

    test('is described while it has members, and can be reset and deleted when it has none', async () => {
      const kafka = createKafka(brokers());
      const topic = await createTopic(kafka);
      const producer = await startProducer(kafka);
      await producer.send({ topic, messages: [{ value: 'a' }, { value: 'b' }] });
      const admin = await startAdmin(kafka);
      const groupId = uniqueName('group');
      const member = await startMember(kafka, topic, { groupId });
      await until(() => member.received.length === 2, 'two messages');
      const { groups } = await admin.describeGroups([groupId]);
      expect(groups).toMatchObject([{ groupId, state: 'Stable', protocolType: 'consumer', errorCode: 0 }]);
      expect(groups[0]?.members).toMatchObject([
        { clientId: 'contract', clientHost: expect.stringMatching(/^\/[\d.:a-f]+$/) },
      ]);
      expect((await admin.listGroups()).groups).toContainEqual({ groupId, protocolType: 'consumer' });
      await expect(admin.deleteGroups([groupId])).rejects.toThrow('DeleteGroups');
      await member.consumer.disconnect();
      expect((await admin.describeGroups([groupId])).groups).toMatchObject([{ state: 'Empty', members: [] }]);
      await admin.setOffsets({ groupId, topic, partitions: [{ partition: 0, offset: '1' }] });
      expect(await admin.fetchOffsets({ groupId, topics: [topic] })).toMatchObject([
        { partitions: [{ offset: '1' }] },
      ]);
      await admin.deleteGroups([groupId]);
      expect((await admin.listGroups()).groups.map(group => group.groupId)).not.toContain(groupId);
      expect(await admin.fetchOffsets({ groupId, topics: [topic] })).toMatchObject([
        { partitions: [{ offset: '-1' }] },
      ]);
    });
  });
}
