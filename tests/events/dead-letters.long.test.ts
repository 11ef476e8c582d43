import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Message } from 'kafkajs';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { rootDir } from '../../dev/settings.ts';
import { fromDeadLetter, toDeadLetter } from '../../platform/kafka/dead-letters.ts';
import { type DomainEvent, toMessage } from '../../platform/kafka/events.ts';
import { useSystem } from '../helpers/system.ts';
import { startAdmin } from '../kafka/clients.ts';
import {
  kafkaOf,
  metricOf,
  notificationsOf,
  placedEvent,
  publish,
  readAll,
  topic,
  untilConsumed,
  wait,
} from './topic.ts';

const deadLetters = `${topic}.dlq`;

/** A dead letter as a consumer writes it, of an event that could be handled by now. */
function letterOf(event: DomainEvent, offset: number, group = 'notifications'): Message {
  const { key, value, headers } = toMessage(event);
  const message = { key: Buffer.from(key), value: Buffer.from(value), headers, offset: String(offset) };
  return toDeadLetter(
    { topic, partition: 0, message: { ...message, timestamp: '0', attributes: 0 } },
    { reason: 'a bug that is mended', group },
  );
}

describe('a message that cannot be handled', () => {
  const shop = useSystem();

  /** Runs `npm run dlq`, compiled. */
  function runDlq(args: readonly string[], env: Record<string, string> = {}) {
    const child = spawn(process.execPath, [join(rootDir, 'dist', 'cli', 'dlq', 'main.js'), ...args], {
      env: { ...process.env, KAFKA_BROKERS: shop.system.kafkaBrokers, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', chunk => (output += chunk));
    const ended = once(child, 'close').then(([code, signal]) => ({ code: code ?? signal, output }));
    onTestFinished(async () => {
      child.kill('SIGKILL');
      await ended;
    });
    return { child, ended };
  }
  const dlq = (...args: string[]) => runDlq(args).ended;

  test('is put aside with the reason, and those before and behind it are handled', async () => {
    const good = [placedEvent('alice'), placedEvent('alice')];
    const refused = placedEvent('al\u0000ice');
    const nextVersion = { ...placedEvent('alice'), type: 'dev.portico.order.placed.v9' };
    const broken = { key: 'order-1', value: 'hello', headers: { odd: Buffer.from([0xff, 0]) } };
    const [first, last] = good.map(event => toMessage(event));
    if (!first || !last) throw new Error('unreachable');
    const poison = [toMessage(refused), toMessage(nextVersion), broken];
    await publish(
      shop,
      [first, ...poison, last].map(message => ({ ...message, partition: 1 })),
    );
    await vi.waitFor(
      async () =>
        expect((await notificationsOf(shop, 'alice')).map(({ eventId }) => eventId)).toEqual(
          good.map(({ id }) => id),
        ),
      wait,
    );

    const letters = (await readAll(shop, deadLetters)).map(message => fromDeadLetter(message));
    const ofNotifications = letters.filter(letter => letter?.group === 'notifications');
    expect(ofNotifications.map(letter => letter?.reason ?? '').sort()).toEqual([
      expect.stringContaining('Expected a CloudEvent'),
      'Expected a version of dev.portico.order.placed.v1, but got dev.portico.order.placed.v9',
      expect.stringContaining('invalid byte sequence'),
    ]);
    expect(ofNotifications).toContainEqual(
      expect.objectContaining({
        topic,
        partition: '1',
        message: { key: Buffer.from('order-1'), value: Buffer.from('hello'), headers: broken.headers },
      }),
    );
    const counted = await metricOf(shop, 'notifications', 'events_consumed_total', {
      outcome: 'dead_letter',
    });
    expect(counted).toBe(3);
  });

  test('is listed with what one needs to know', async () => {
    const { code, output } = await dlq('list');
    expect(code).toBe(0);
    expect(output).toMatch(/^orders\.events\/1@\d+ {2}could not be handled by notifications at 20/m);
    expect(output).toMatch(
      /^ {2}type dev\.portico\.order\.placed\.v9, id [0-9a-f-]{36}, key [0-9a-f-]{36}$/m,
    );
    expect(output).toMatch(/^\d+ dead letters wait\.$/m);
  });

  test('and still cannot be is put aside again, when it is replayed', async () => {
    const before = await readAll(shop, deadLetters);
    const { code, output } = await dlq('replay');
    expect(output).toMatch(/^orders\.events: 3 sent again, 1 of other groups for the same messages$/m);
    expect(code).toBe(0);
    await vi.waitFor(
      async () => expect(await readAll(shop, deadLetters)).toHaveLength(2 * before.length),
      wait,
    );
    const [again] = (await readAll(shop, deadLetters))
      .map(message => fromDeadLetter(message))
      .filter(letter => letter?.message.key?.toString() === 'order-1')
      .slice(-1);
    expect(again?.message.headers).toEqual({ odd: Buffer.from([0xff, 0]) });
    expect((await dlq('replay')).output).toContain('3 sent again');
  });

  test('comes back when it is replayed, with its key and headers, and only once', async () => {
    await untilConsumed(shop);
    await dlq('replay');
    const events = Array.from({ length: 5 }, () => placedEvent('bob'));
    await publish(
      shop,
      events.flatMap((event, index) => {
        const offset = 1_000_000 + index;
        return [letterOf(event, offset), letterOf(event, offset, 'inventory')];
      }),
      deadLetters,
    );
    const { output } = await dlq('replay', '--topic', topic);
    expect(output).toMatch(/^orders\.events: [5-9] sent again, [5-9] of other groups/m);
    await vi.waitFor(async () => expect(await notificationsOf(shop, 'bob')).toHaveLength(5), wait);

    const [sent] = (await readAll(shop)).filter(({ key }) => String(key) === events[0]?.subject);
    const expected = toMessage(events[0] as DomainEvent);
    expect(Object.entries(sent?.headers ?? {}).map(([name, value]) => [name, String(value)])).toEqual(
      Object.entries(expected.headers),
    );
    expect(String(sent?.value)).toBe(expected.value);

    await dlq('replay');
    await dlq('replay', '--all');
    await untilConsumed(shop);
    expect((await notificationsOf(shop, 'bob')).map(({ eventId }) => eventId).sort()).toEqual(
      events.map(({ id }) => id).sort(),
    );
  });

  test('notifies once, even when a replay is killed midway and run again', async () => {
    const count = 800;
    const events = Array.from({ length: count }, () => placedEvent('carol'));
    const letters = events.map((event, index) => letterOf(event, 2_000_000 + index));
    for (let sent = 0; sent < count; sent += 25)
      await publish(shop, letters.slice(sent, sent + 25), deadLetters);
    const admin = await startAdmin(kafkaOf(shop));
    const endOfTopic = async () =>
      (await admin.fetchTopicOffsets(topic)).reduce((sum, { high }) => sum + Number(high), 0);
    const before = await endOfTopic();
    const { child, ended } = runDlq(['replay']);
    await vi.waitFor(async () => expect(await endOfTopic()).toBeGreaterThan(before), {
      timeout: 30_000,
      interval: 1,
    });
    child.kill('SIGKILL');
    expect((await ended).code).toBe('SIGKILL');
    const whenKilled = await endOfTopic();
    expect(whenKilled - before).toBeLessThan(count);

    expect((await dlq('replay')).code).toBe(0);
    expect((await dlq('list')).output).not.toContain('a bug that is mended');
    await vi.waitFor(async () => expect(await notificationsOf(shop, 'carol')).toHaveLength(count), wait);
    await untilConsumed(shop);
    const notified = await notificationsOf(shop, 'carol');
    expect(new Set(notified.map(({ eventId }) => eventId)).size).toBe(count);
    expect(notified).toHaveLength(count);
  });

  test.each([
    [
      ['list', '--topic', 'nothing'],
      {},
      1,
      /^--topic must be a topic with dead letters \(.*orders\.events.*\); it is 'nothing'$/m,
    ],
    [
      ['list'],
      { KAFKA_BROKERS: '127.0.0.1:1' },
      1,
      /^No broker of KAFKA_BROKERS, 127\.0\.0\.1:1, lets this client in: .*ECONNREFUSED/m,
    ],
    [['replay'], { KAFKA_SASL_MECHANISM: 'plain' }, 1, /KAFKA_SASL_PASSWORD/],
    [['repaly'], {}, 2, /^expected list or replay, but got 'repaly'\n\nusage: npm run dlq/m],
    [['list', '--everything'], {}, 2, /--everything.*usage/s],
  ] as const)('%o with %o says what is wrong', async (args, env, status, message) => {
    const { code, output } = await runDlq(args, env).ended;
    expect(output).toMatch(message);
    expect(code).toBe(status);
  });
});
