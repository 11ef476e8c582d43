import kafkajs from 'kafkajs';

/** A group member as a process: it joins as its argument says, and tells its parent which partitions it has. */
const { brokers, topic, groupId, sessionTimeout } = JSON.parse(process.argv[2] ?? '{}');
const kafka = new kafkajs.Kafka({ clientId: 'contract', brokers, logLevel: kafkajs.logLevel.NOTHING });
const consumer = kafka.consumer({
  groupId,
  sessionTimeout,
  heartbeatInterval: 200,
  rebalanceTimeout: 10_000,
});
consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
  process.send?.(payload.memberAssignment[topic] ?? []);
});
await consumer.connect();
await consumer.subscribe({ topics: [topic], fromBeginning: true });
await consumer.run({ eachMessage: async () => {} });
