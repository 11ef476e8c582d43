import type { ExecutionResult, GraphQLError } from 'graphql';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { PorticoError } from '../../platform/errors.ts';
import { silentLog } from '../../platform/log.ts';
import { anonymous } from '../security/operation-caller.ts';
import { type LiveOperation, LiveStream, type StreamHost } from './live-stream.ts';
import type { StreamListener } from './results.ts';
import type { SubgraphEvent } from './subscription-plan.ts';
import type { UpstreamSink } from './upstream/sink.ts';

/** One opening of the subgraph's subscription. */
interface Opening {
  readonly after: unknown;
  readonly sink: UpstreamSink;
  closed: boolean;
}

interface Received extends StreamListener {
  readonly started: string[];
  readonly amounts: unknown[];
  readonly endings: (GraphQLError | undefined)[];
}

function receiver(): Received {
  const received = {
    started: [] as string[],
    amounts: [] as unknown[],
    endings: [] as (GraphQLError | undefined)[],
  };
  return {
    ...received,
    start: cursor => void received.started.push(cursor),
    put: ({ data, errors }) => void received.amounts.push(errors?.[0]?.message ?? data?.['amount']),
    end: error => void received.endings.push(error),
  };
}

/** An event; its cursor is its amount. */
const event = (amount: number): SubgraphEvent => ({ data: { amount } });

/** A stream whose events are completed when the test says so, or at once. */
function open({
  after,
  resumable = true,
  query = 'q',
}: {
  after?: string;
  resumable?: boolean;
  query?: string;
} = {}) {
  const openings: Opening[] = [];
  let complete: (event: SubgraphEvent) => Promise<ExecutionResult> = given =>
    Promise.resolve({ data: given.data ?? null });
  const operationOf = (text: string) =>
    ({
      variables: {},
      subscription: {
        id: 'id',
        plan: { subgraph: 'prices', query: text, runEvent: (given: SubgraphEvent) => complete(given) },
        resumption: resumable
          ? { cursorOf: ({ data }: SubgraphEvent) => data && String(data['amount']) }
          : undefined,
      },
    }) as unknown as LiveOperation;
  const observer = {
    eventReceived: vi.fn<(subgraph: string) => void>(),
    eventCompleted: vi.fn<(subgraph: string, seconds: number) => void>(),
    resumed: vi.fn<(subgraph: string) => void>(),
    abandoned: vi.fn<(subgraph: string) => void>(),
    moved: vi.fn<(stream: LiveStream) => void>(),
    ended: vi.fn<(stream: LiveStream) => void>(),
  };
  const host: StreamHost = {
    open(_operation, { variables }, sink) {
      const opening: Opening = { after: variables['portico_after'], sink, closed: false };
      openings.push(opening);
      return {
        close() {
          opening.closed = true;
        },
      };
    },
    moved: observer.moved,
    ended: observer.ended,
    resumeTimeoutMs: 10_000,
    metrics: observer,
    log: silentLog,
  };
  const stream = new LiveStream(
    { key: 'key', operation: operationOf(query), caller: anonymous, headers: {}, after },
    host,
  );
  const listener = receiver();
  stream.add(listener);
  stream.begin();
  return {
    stream,
    listener,
    observer,
    openings,
    operationOf,
    last: () => openings.at(-1) as Opening,
    completeWith(how: typeof complete) {
      complete = how;
    },
    /** Completes no event until what it returns is called. */
    hold() {
      let release = () => {};
      const held = new Promise<void>(resolve => {
        release = resolve;
      });
      complete = async given => {
        await held;
        return { data: given.data ?? null };
      };
      return () => release();
    },
  };
}

/** Lets everything happen that waits for no time. */
const settle = () => vi.advanceTimersByTimeAsync(0);

describe('a live stream', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  test('delivers its events in order, however long each takes to complete', async () => {
    const { last, listener, completeWith } = open();
    completeWith(async given => {
      const amount = Number(given.data?.['amount']);
      await new Promise(resolve => setTimeout(resolve, 100 - amount));
      return { data: { amount } };
    });
    for (const amount of [1, 50, 99]) last().sink.event(event(amount));
    await vi.advanceTimersByTimeAsync(60);
    expect(listener.amounts).toEqual([]);
    await vi.advanceTimersByTimeAsync(40);
    expect(listener.amounts).toEqual([1, 50, 99]);
  });

  test('tells of an event that could not be completed, and goes on', async () => {
    const { last, listener, completeWith } = open();
    completeWith(() => Promise.reject(new Error('a secret')));
    last().sink.event(event(1));
    await settle();
    completeWith(() => Promise.resolve({ data: { amount: 2 } }));
    last().sink.event(event(2));
    await settle();
    expect(listener.amounts).toEqual(['Internal server error', 2]);
  });

  test('goes on after the last event that came, also of those that are not delivered yet', async () => {
    const { openings, last, listener, observer } = open();
    last().sink.start('0');
    expect(listener.started).toEqual(['0']);
    last().sink.event(event(1));
    last().sink.event(event(2));
    last().sink.lost({ begun: true, cause: undefined });
    await vi.advanceTimersByTimeAsync(100);
    expect(openings.map(({ after }) => after)).toEqual([null, '2']);
    last().sink.event(event(3));
    await settle();
    expect(listener.amounts).toEqual([1, 2, 3]);
    expect(observer.resumed).toHaveBeenCalledOnce();
  });

  test('begins where it was asked to, and tells its listeners', () => {
    const { last, listener, stream } = open({ after: '7' });
    expect(last().after).toBe('7');
    expect(listener.started).toEqual(['7']);
    expect(stream.isCurrent).toBe(false);
  });

  test('looks for a lost subgraph until its patience ends, then says where to go on', async () => {
    const { openings, last, listener } = open();
    last().sink.event(event(1));
    last().sink.lost({ begun: true, cause: undefined });
    // Each attempt is lost, whenever chance has it made.
    let lost = openings.length;
    while (listener.endings.length === 0) {
      await vi.advanceTimersByTimeAsync(2_000);
      for (; lost < openings.length; lost++) openings[lost]?.sink.lost({ begun: false, cause: undefined });
      await settle();
    }
    expect(openings.length).toBeGreaterThan(5);
    expect(listener.endings[0]?.extensions).toMatchObject({ code: 'SUBGRAPH_UNAVAILABLE', cursor: '1' });
  });

  test('ends with the subgraph when nobody can tell what was missed', async () => {
    const { openings, last, listener } = open({ resumable: false });
    last().sink.event(event(1));
    last().sink.lost({ begun: true, cause: undefined });
    await vi.advanceTimersByTimeAsync(5_000);
    expect(openings).toHaveLength(1);
    expect(listener.amounts).toEqual([1]);
    expect(listener.endings[0]?.extensions).toMatchObject({ code: 'SUBGRAPH_UNAVAILABLE' });
  });

  test('opens again what was never open, whether or not it can be resumed', async () => {
    const { openings, last, listener } = open({ resumable: false });
    last().sink.lost({ begun: false, cause: undefined });
    await vi.advanceTimersByTimeAsync(100);
    expect(openings).toHaveLength(2);
    expect(listener.endings).toEqual([]);
  });

  test('opens again what was lost at once, before anything came, and not later', async () => {
    const { openings, last, listener } = open({ resumable: false });
    last().sink.opened();
    await vi.advanceTimersByTimeAsync(1_000);
    last().sink.lost({ begun: true, cause: undefined });
    await vi.advanceTimersByTimeAsync(100);
    expect(openings).toHaveLength(2);
    last().sink.opened();
    await vi.advanceTimersByTimeAsync(3_000);
    last().sink.lost({ begun: true, cause: undefined });
    await settle();
    expect(listener.endings[0]?.extensions).toMatchObject({ code: 'SUBGRAPH_UNAVAILABLE' });
  });

  test('closes its subscription when too many events are under way, and reads the rest after them', async () => {
    const { openings, last, listener, hold } = open();
    const release = hold();
    for (let amount = 1; amount <= 257; amount++) last().sink.event(event(amount));
    expect(openings[0]?.closed).toBe(true);
    release();
    await settle();
    expect(listener.amounts).toHaveLength(256);
    expect(openings.map(({ after }) => after)).toEqual([null, '256']);
  });

  test('goes on in another graph: with the same subscription if it can, with a new one if it must', () => {
    const { stream, openings, last, operationOf } = open();
    last().sink.event(event(1));
    stream.follow(operationOf('q'));
    expect(openings).toHaveLength(1);
    stream.follow(operationOf('q2'));
    expect(openings.map(({ after, closed }) => [after, closed])).toEqual([
      [null, true],
      ['1', false],
    ]);
  });

  test('is opened once when the graph changes while it catches up', async () => {
    const { stream, openings, last, operationOf, hold } = open();
    const release = hold();
    for (let amount = 1; amount <= 257; amount++) last().sink.event(event(amount));
    stream.follow(operationOf('q2'));
    release();
    await settle();
    expect(openings.map(({ after, closed }) => [after, closed])).toEqual([
      [null, true],
      ['256', false],
    ]);
  });

  test('gives no listeners to a stream that has ended', async () => {
    const one = open({ after: '2' });
    const other = open();
    other.last().sink.event(event(2));
    other.listener.put = () => other.stream.remove(other.listener);
    await settle();
    expect(other.observer.moved).not.toHaveBeenCalled();
    one.stream.mergeInto(other.stream);
    expect(one.last().closed).toBe(false);
    one.last().sink.event(event(3));
    await settle();
    expect(one.listener.amounts).toEqual([3]);
  });

  test('waits for a subgraph that says it is not available now, and ends with any other refusal', async () => {
    const { openings, last, listener } = open({ resumable: false });
    last().sink.refused(new PorticoError('SERVICE_UNAVAILABLE', 'The database is away').toGraphQLError());
    await vi.advanceTimersByTimeAsync(100);
    expect(openings).toHaveLength(2);
    last().sink.refused(new PorticoError('FORBIDDEN', 'Not you').toGraphQLError());
    await settle();
    expect(listener.endings[0]?.extensions).toMatchObject({ code: 'FORBIDDEN' });
  });

  test('counts a loss after a long quiet time as a new one', async () => {
    const { openings, last, listener } = open({ after: '1' });
    for (let count = 0; count < 4; count++) {
      last().sink.opened();
      await vi.advanceTimersByTimeAsync(60_000);
      last().sink.lost({ begun: true, cause: undefined });
      await vi.advanceTimersByTimeAsync(3_000);
    }
    expect(openings).toHaveLength(5);
    expect(listener.endings).toEqual([]);
  });

  test('gives its listeners to a stream that stands where it stands, who can still leave', async () => {
    const one = open({ after: '5' });
    const other = open();
    other.last().sink.start('5');
    one.stream.mergeInto(other.stream);
    expect(one.last().closed).toBe(true);
    expect(one.observer.ended).toHaveBeenCalledOnce();
    other.last().sink.event(event(6));
    await settle();
    expect(one.listener.amounts).toEqual([6]);
    one.stream.remove(one.listener);
    other.stream.remove(other.listener);
    expect(other.last().closed).toBe(true);
  });

  test('closes its subscription when the last listener leaves, and comes to nobody after that', async () => {
    const { stream, last, listener, observer } = open();
    last().sink.event(event(1));
    stream.remove(listener);
    await settle();
    expect(last().closed).toBe(true);
    expect(listener.amounts).toEqual([]);
    expect(observer.ended).toHaveBeenCalledOnce();
  });
});
