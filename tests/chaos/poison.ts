import { setTimeout as delay } from 'node:timers/promises';
import kafkajs from 'kafkajs';
import { createEvent, toMessage } from '../../platform/kafka/events.ts';
import type { Ledger } from './ledger.ts';
import { connectKafka, eventTopic } from './topics.ts';

interface PoisonOptions {
  readonly kafkaBrokers: string;
  readonly ledger: Ledger;
  readonly everyMs: number;
  readonly signal: AbortSignal;
}

/** Puts an event on the topic every now and then that no consumer can handle, until it is told to end. */
export async function sendPoison({ kafkaBrokers, ledger, everyMs, signal }: PoisonOptions): Promise<void> {
  const producer = connectKafka({ kafkaBrokers }).producer({
    createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
  });
  try {
    for (let count = 1; !signal.aborted; count += 1) {
      const event = createEvent({
        type: 'dev.portico.order.cancelled.v1',
        source: '/orders',
        subject: `poison-${count}`,
        data: { orderId: 'not an id' },
      });
      const record = { eventId: event.id, acknowledged: false };
      ledger.poison.push(record);
      try {
        await producer.connect();
        await producer.send({ topic: eventTopic, messages: [toMessage(event)] });
        record.acknowledged = true;
      } catch {
        // The broker was away for too long; whether the event is on the topic is not known.
      }
      await delay(everyMs, undefined, { signal }).catch(() => {});
    }
  } finally {
    await producer.disconnect();
  }
}
