import { once } from 'node:events';
import { WebSocket } from 'ws';
import { percentile } from '../figures.ts';
import { sharedNowMs } from './clock.ts';

/*
 * Subscribers over graphql-ws, each on a WebSocket of its own, that do no more with a result than to note when it came.
 * Told to by messages: `open` brings more subscribers, `close` ends all, `forget` and `summarize` are about the results.
 */

/** Results since the last reset. */
export interface Summary {
  readonly results: number;
  /** From publishing until a subscriber had the result, over all results, in ms. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** From publishing until the last subscriber had the result, over all events, in ms. */
  readonly lastP50Ms: number;
  readonly lastP99Ms: number;
}

interface OpenMessage {
  readonly type: 'open';
  readonly url: string;
  readonly query: string;
  readonly count: number;
  /** The n-th subscriber uses the n-th; without one, it is nobody. */
  readonly tokens: readonly string[];
}

/** Connections that are opened at the same time. */
const openAtOnce = 50;

const sockets = new Set<WebSocket>();
let latenciesMs: number[] = [];
const lastMsByEvent = new Map<number, number>();
let results = 0;
let isTelling = false;

function onResult(text: string): void {
  results += 1;
  const sentAtMs = Number(/"sentAtMs":([\d.]+)/.exec(text)?.[1]);
  if (Number.isNaN(sentAtMs)) throw new Error(`A result expected sentAtMs, but got ${text.slice(0, 500)}`);
  const latencyMs = sharedNowMs() - sentAtMs;
  latenciesMs.push(latencyMs);
  lastMsByEvent.set(sentAtMs, latencyMs);
  if (isTelling) return;
  isTelling = true;
  setImmediate(() => {
    isTelling = false;
    process.send?.({ type: 'received', results });
  });
}

async function openOne({ url, query }: OpenMessage, token: string | undefined): Promise<void> {
  const socket = new WebSocket(url, 'graphql-transport-ws', { perMessageDeflate: false });
  sockets.add(socket);
  await once(socket, 'open');
  const payload = token === undefined ? {} : { authorization: `Bearer ${token}` };
  socket.send(JSON.stringify({ type: 'connection_init', payload }));
  const [ack] = (await once(socket, 'message')) as [Buffer];
  if (!ack.includes('connection_ack'))
    throw new Error(`A subscriber expected an ack, but got ${ack.toString()}`);
  socket.on('message', (data: Buffer) => {
    const text = data.toString();
    if (text.includes('"type":"next"')) onResult(text);
    else if (text.includes('"type":"ping"')) socket.send('{"type":"pong"}');
    else if (!text.includes('"type":"pong"'))
      throw new Error(`A subscriber expected results, but got ${text}`);
  });
  socket.on('close', (code, reason) => {
    if (sockets.has(socket))
      throw new Error(`A subscriber expected to stay, but was closed: ${code} ${reason.toString()}`);
  });
  socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query } }));
}

async function open(message: OpenMessage): Promise<void> {
  for (let opened = 0; opened < message.count; opened += openAtOnce)
    await Promise.all(
      Array.from({ length: Math.min(openAtOnce, message.count - opened) }, (_, index) =>
        openOne(message, message.tokens[opened + index]),
      ),
    );
}

async function close(): Promise<void> {
  const closing = [...sockets].map(socket => once(socket, 'close'));
  for (const socket of sockets) {
    sockets.delete(socket);
    socket.close();
  }
  await Promise.all(closing);
}

function summarize(): Summary {
  const last = [...lastMsByEvent.values()];
  return {
    results,
    p50Ms: percentile(latenciesMs, 0.5),
    p99Ms: percentile(latenciesMs, 0.99),
    lastP50Ms: percentile(last, 0.5),
    lastP99Ms: percentile(last, 0.99),
  };
}

function forget(): void {
  results = 0;
  latenciesMs = [];
  lastMsByEvent.clear();
}

async function handle(message: { type: string }): Promise<void> {
  if (message.type === 'open') await open(message as OpenMessage);
  if (message.type === 'close') await close();
  if (message.type === 'forget') forget();
  const summary = message.type === 'summarize' ? summarize() : {};
  process.send?.({ type: `${message.type}:done`, ...summary });
}

process.on('message', (message: { type: string }) => void handle(message));
process.on('disconnect', () => process.exit());
process.send?.({ type: 'ready' });
