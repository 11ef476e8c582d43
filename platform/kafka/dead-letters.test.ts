import { expect, test } from 'vitest';
import { deadLetterTopicOf, fromDeadLetter, toDeadLetter } from './dead-letters.ts';

const message = {
  key: Buffer.from('order-1'),
  value: Buffer.from([0, 255, 1]),
  headers: {
    ce_id: Buffer.from('1'),
    binary: Buffer.from([200, 0]),
    twice: [Buffer.from('a'), Buffer.from('b')],
  },
  offset: '42',
  timestamp: '0',
  attributes: 0,
};
const payload = { topic: 'orders.events', partition: 2, message };

test('a dead letter says why and whence, and gives the message back byte for byte', () => {
  const { key, value, headers } = toDeadLetter(payload, { reason: 'no type', group: 'notifications' });
  const letter = fromDeadLetter({ key: key as Buffer, value: value as Buffer, headers: headers ?? {} });

  expect(deadLetterTopicOf(payload.topic)).toBe('orders.events.dlq');
  expect(letter).toEqual({
    topic: 'orders.events',
    partition: '2',
    offset: '42',
    reason: 'no type',
    group: 'notifications',
    failedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
    message: { key: message.key, value: message.value, headers: message.headers },
  });
});

test('a message that does not say where it came from is no dead letter', () => {
  expect(fromDeadLetter({ key: null, value: Buffer.from('hello'), headers: {} })).toBeUndefined();
});
