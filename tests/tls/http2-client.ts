import { once } from 'node:events';
import type { SecureClientSessionOptions } from 'node:http2';
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  type IncomingHttpHeaders,
} from 'node:http2';
import { onTestFinished } from 'vitest';

/** Opens a connection of HTTP/2 for one test. */
export async function openSession(
  url: string,
  options: SecureClientSessionOptions,
): Promise<ClientHttp2Session> {
  const session = connect(url, options);
  onTestFinished(() => session.destroy());
  await once(session, 'connect');
  return session;
}

/** Sends an operation; text is sent as the beginning of a body that does not end. */
export function send(
  session: ClientHttp2Session,
  body: object | string,
  headers: Record<string, string> = {},
): ClientHttp2Stream {
  const stream = session.request({
    ':method': 'POST',
    ':path': '/graphql',
    'content-type': 'application/json',
    ...headers,
  });
  stream.setEncoding('utf8');
  stream.on('error', () => {});
  if (typeof body === 'string') stream.write(body);
  else stream.end(JSON.stringify(body));
  return stream;
}

/** Headers of the answer. */
export async function headersOf(stream: ClientHttp2Stream): Promise<IncomingHttpHeaders> {
  const [headers] = (await once(stream, 'response')) as [IncomingHttpHeaders];
  return headers;
}

/** The whole answer. */
export async function answerOf(stream: ClientHttp2Stream) {
  let text = '';
  stream.on('data', (chunk: string) => {
    text += chunk;
  });
  const closed = once(stream, 'close');
  const headers = await headersOf(stream);
  await closed;
  return { status: headers[':status'], headers, text };
}

/** Reads until what comes from now on has all of the given texts. @throws Error when the stream ends before */
export function readUntil(stream: ClientHttp2Stream, ...texts: readonly string[]): Promise<string> {
  let received = '';
  return new Promise((resolve, reject) => {
    const look = (chunk: string) => {
      received += chunk;
      if (!texts.every(text => received.includes(text))) return;
      stream.off('data', look);
      resolve(received);
    };
    stream.on('data', look);
    stream.once('close', () => reject(new Error(`The stream ended after ${JSON.stringify(received)}`)));
  });
}
