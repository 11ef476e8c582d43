import { createHash } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { type LoadRequest, loads } from './federation.ts';

/*
 * Sends a load to a gateway over a number of connections, each with one request at a time, when it is told to. Every answer
 * has to be complete: status 200, data, no errors.
 */

interface RunMessage {
  readonly type: string;
  readonly load: string;
  readonly url: string;
  readonly connections: number;
  readonly seconds: number;
}

const readBytes = 131_072;
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
      const begin = body.toString('latin1', 0, 40);
      if (!head.startsWith('http/1.1 200') || (body.length > 0 && !begin.includes('{"data":'))) {
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
  { bodies, distinct, deadlineMs }: { bodies: readonly string[]; distinct: boolean; deadlineMs: number },
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

async function run({ load, url, connections, seconds }: RunMessage): Promise<void> {
  const { requests, distinctHeaders } = loads[load] ?? { requests: [], distinctHeaders: false };
  const bodies = requests.map((request: LoadRequest) => JSON.stringify(request));
  const { host, port } = new URL(url);
  // One after the other: that answers are whole, and the same of all gateways, is checked before they are counted.
  const digest = createHash('sha256');
  for (const body of bodies) {
    const headers = { 'content-type': 'application/json', accept: 'application/json' };
    const response = await fetch(new URL('/graphql', url), { method: 'POST', headers, body });
    const { data, errors } = (await response.json()) as { data?: unknown; errors?: unknown };
    digest.update(sortedJson(data));
    if (!data || errors)
      throw new Error(`The load '${load}' expected data alone, but got ${JSON.stringify(errors)}`);
  }
  const latenciesMs: number[] = [];
  const startedAtMs = performance.now();
  const deadlineMs = startedAtMs + seconds * 1_000;
  await Promise.all(
    Array.from({ length: connections }, () =>
      sendUntil({ host, port: Number(port) }, { bodies, distinct: distinctHeaders, deadlineMs }, latenciesMs),
    ),
  );
  const elapsedSeconds = (performance.now() - startedAtMs) / 1_000;
  const sorted = latenciesMs.sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.floor(share * (sorted.length - 1))] ?? Number.NaN;
  process.send?.({
    type: 'done',
    digest: digest.digest('hex'),
    requests: sorted.length,
    perSecond: sorted.length / elapsedSeconds,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
  });
}

process.on('message', (message: RunMessage) => {
  if (message.type === 'run') void run(message);
});
process.on('disconnect', () => process.exit());
process.send?.({ type: 'ready' });
