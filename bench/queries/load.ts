import { createHash } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { median, percentile } from '../figures.ts';
import { loads } from './federation.ts';
import type { CheckMessage, EachMessage, LoadResult, RunMessage } from './loader.ts';

/*
 * Sends requests to a gateway when it is told to (`loader.ts`). Every answer has to be complete: status 200, data, no errors.
 */

interface Stream {
  readonly bodies: readonly string[];
  readonly distinct: boolean;
}

const readBytes = 131_072;
/** Bytes of an answer of which an error is told. */
const shownBytes = 300;
const lastChunk = Buffer.from('0\r\n\r\n');
let sent = 0;

function requestOf(host: string, body: string, language: string | undefined): string {
  return [
    'POST /graphql HTTP/1.1',
    `host: ${host}`,
    'content-type: application/json',
    'accept: application/json',
    ...(language === undefined ? [] : [`accept-language: ${language}`]),
    `content-length: ${Buffer.byteLength(body)}`,
    '',
    body,
  ].join('\r\n');
}

/** Reads the answers of one connection, which come one by one, with as little work as possible. */
class Connection {
  readonly #socket: Socket;
  #answer: (() => void) | undefined;
  #fail: ((error: Error) => void) | undefined;
  /** Bytes of the body that are to come; undefined before the headers, NaN for chunks. */
  #left: number | undefined;
  #bytes = 0;

  constructor(port: number) {
    this.#socket = connect({
      host: '127.0.0.1',
      port,
      noDelay: true,
      onread: {
        buffer: Buffer.alloc(readBytes),
        callback: (count, buffer) => {
          this.#read(Buffer.from(buffer.buffer, buffer.byteOffset, count));
          return true;
        },
      },
    });
    this.#socket.on('error', error => this.#fail?.(error));
    this.#socket.on('close', () => this.#fail?.(new Error('The gateway has closed a connection')));
  }

  /** Sends a request. Resolves with its answer. @throws Error when it is not complete */
  send(request: string): Promise<void> {
    this.#left = undefined;
    this.#bytes = 0;
    this.#socket.write(request);
    return new Promise((resolve, reject) => {
      this.#answer = resolve;
      this.#fail = reject;
    });
  }

  close(): void {
    this.#fail = undefined;
    this.#socket.destroy();
  }

  #read(data: Buffer): void {
    let body = data;
    if (this.#left === undefined) {
      // The headers of an answer come in one piece.
      const end = data.indexOf('\r\n\r\n') + 4;
      const head = data.toString('latin1', 0, end).toLowerCase();
      body = data.subarray(end);
      const begin = body.toString('latin1', 0, shownBytes);
      if (!head.startsWith('http/1.1 200') || (body.length > 0 && !begin.slice(0, 40).includes('{"data":'))) {
        this.#fail?.(new Error(`A request expected data, but got ${head}${begin}`));
        return;
      }
      this.#left = Number(/content-length: (\d+)/.exec(head)?.[1] ?? Number.NaN);
    }
    this.#bytes += body.length;
    const isWhole = Number.isNaN(this.#left)
      ? body.subarray(-5).equals(lastChunk)
      : this.#bytes >= this.#left;
    if (isWhole) this.#answer?.();
  }
}

async function sendUntil(
  { host, port }: { host: string; port: number },
  { bodies, distinct, deadlineMs }: Stream & { deadlineMs: number },
  latenciesMs: number[],
): Promise<void> {
  const connection = new Connection(port);
  for (;;) {
    const startedAtMs = performance.now();
    if (startedAtMs >= deadlineMs) break;
    sent += 1;
    const language = distinct ? `x-${sent}` : undefined;
    await connection.send(requestOf(host, bodies[sent % bodies.length] ?? '', language));
    latenciesMs.push(performance.now() - startedAtMs);
  }
  connection.close();
}

/** JSON with the fields of each object in one order, whatever theirs was. */
function sortedJson(value: unknown): string {
  return JSON.stringify(value, (_key, each: unknown) =>
    typeof each === 'object' && each !== null && !Array.isArray(each)
      ? Object.fromEntries(Object.entries(each).sort(([one], [other]) => (one < other ? -1 : 1)))
      : each,
  );
}

/** Bodies of the requests of some loads, and whether each request is to have a header of its own. */
function streamsOf({ loads: names, isDistinct = false }: Pick<RunMessage, 'loads' | 'isDistinct'>): Stream[] {
  return names.map(name => {
    const { requests, distinctHeaders } = loads[name] ?? { requests: [], distinctHeaders: false };
    return {
      bodies: requests.map(request => JSON.stringify(request)),
      distinct: distinctHeaders || isDistinct,
    };
  });
}

/** Sends the requests of a load one after the other. @returns a digest of the answers, or what is wrong with one */
async function check({ url, load }: CheckMessage): Promise<{ digest: string } | { fault: string }> {
  const digest = createHash('sha256');
  for (const { bodies } of streamsOf({ loads: [load] }))
    for (const body of bodies) {
      const headers = { 'content-type': 'application/json', accept: 'application/json' };
      const response = await fetch(new URL('/graphql', url), { method: 'POST', headers, body });
      const { data, errors } = (await response.json()) as { data?: unknown; errors?: unknown };
      if (!data || errors) return { fault: `expected data alone, but got ${JSON.stringify(errors)}` };
      digest.update(sortedJson(data));
    }
  return { digest: digest.digest('hex') };
}

async function run({ url, connections, seconds, ...message }: RunMessage): Promise<LoadResult> {
  const streams = streamsOf(message);
  const { host, port } = new URL(url);
  const latenciesMs: number[] = [];
  const startedAtMs = performance.now();
  const deadlineMs = startedAtMs + seconds * 1_000;
  await Promise.all(
    Array.from({ length: connections }, (_, index) => {
      const stream = streams[index % streams.length] ?? { bodies: [], distinct: false };
      return sendUntil({ host, port: Number(port) }, { ...stream, deadlineMs }, latenciesMs);
    }),
  );
  const elapsedSeconds = (performance.now() - startedAtMs) / 1_000;
  return {
    requests: latenciesMs.length,
    perSecond: latenciesMs.length / elapsedSeconds,
    p50Ms: median(latenciesMs),
    p99Ms: percentile(latenciesMs, 0.99),
    maxMs: percentile(latenciesMs, 1),
  };
}

/** Sends requests one after the other over one connection. @returns how long each took, in ms */
async function sendEach({ url, bodies }: EachMessage): Promise<{ latenciesMs: number[] }> {
  const { host, port } = new URL(url);
  const connection = new Connection(Number(port));
  const latenciesMs: number[] = [];
  for (const body of bodies) {
    const startedAtMs = performance.now();
    await connection.send(requestOf(host, body, undefined));
    latenciesMs.push(performance.now() - startedAtMs);
  }
  connection.close();
  return { latenciesMs };
}

async function handle(message: CheckMessage | RunMessage | EachMessage): Promise<void> {
  if (message.type === 'check') process.send?.({ type: 'checked', ...(await check(message)) });
  if (message.type === 'run') process.send?.({ type: 'done', ...(await run(message)) });
  if (message.type === 'each') process.send?.({ type: 'sent', ...(await sendEach(message)) });
}

process.on('message', (message: CheckMessage | RunMessage | EachMessage) => void handle(message));
process.on('disconnect', () => process.exit());
process.send?.({ type: 'ready' });
