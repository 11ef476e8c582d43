import type { RequestListener, Server } from 'node:http';
import {
  constants,
  createSecureServer as createHttp2Server,
  Http2ServerRequest,
  Http2ServerResponse,
  type SecureServerOptions,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { HttpTimeouts } from '../http-timeouts.ts';
import type { TlsMaterial } from './material.ts';

/** Requests that one HTTP/2 connection may have under way. */
const maxConcurrentStreams = 250;
/** Time in which an answer is read at the latest while the server closes, in ms. */
const lastReadTimeMs = 1_000;
/** Largest headers, those of Node's HTTP/1.1 too, in bytes. */
const maxHeaderBytes = 16 * 1024;

/** Response over HTTP/2 with what one over HTTP/1.1 has and Node's compatibility leaves out. */
class Response extends Http2ServerResponse {}
for (const name of ['destroyed', 'writableNeedDrain'] as const)
  Object.defineProperty(Response.prototype, name, {
    get(this: Response) {
      return this.stream[name];
    },
  });

/**
 * Makes a server over TLS, of HTTP/2 and, for clients that do not ask for that, of HTTP/1.1 with its upgrades. Requests and
 * responses are like those of `node:http` for who does not look closer, and so is the server.
 */
export function createSecureServer(
  handler: RequestListener,
  { cert, key, ca }: TlsMaterial,
  timeouts: HttpTimeouts,
): Server {
  const { headersTimeout, requestTimeout, keepAliveTimeout, connectionsCheckingInterval } = timeouts;
  const options: SecureServerOptions = {
    cert,
    key,
    ...(ca === undefined ? {} : { ca, requestCert: true, rejectUnauthorized: true }),
    allowHTTP1: true,
    handshakeTimeout: headersTimeout,
    settings: { maxConcurrentStreams, maxHeaderListSize: maxHeaderBytes },
    Http2ServerResponse: Response as never,
  };
  const unread = new UnreadAnswers(requestTimeout);
  const server = createHttp2Server(options, (request, response) => {
    if (request instanceof Http2ServerRequest) {
      if (headerBytesOf(request) > maxHeaderBytes) {
        response.writeHead(constants.HTTP_STATUS_REQUEST_HEADER_FIELDS_TOO_LARGE).end();
        return;
      }
      limitRequestTime(request, requestTimeout);
      unread.watch(request.stream);
    }
    handler(request as never, response as never);
  });
  // For HTTP/1.1; the constructor does not take them.
  Object.assign(server, { headersTimeout, requestTimeout, keepAliveTimeout, connectionsCheckingInterval });
  const sessions = new Set<ServerHttp2Session>();
  server.on('session', session => {
    sessions.add(session);
    session.once('close', () => sessions.delete(session));
    closeWhenUnused(session, timeouts);
  });
  const close = server.close.bind(server);
  server.close = callback => {
    // Requests that are under way end; what comes next is told to go elsewhere.
    for (const session of sessions) session.close();
    unread.hurry();
    return close(callback);
  };
  return server as unknown as Server;
}

/** Closes a connection without requests: the first has to come as soon as over HTTP/1.1, and so has each further one. */
function closeWhenUnused(
  session: ServerHttp2Session,
  { headersTimeout, keepAliveTimeout }: HttpTimeouts,
): void {
  let openStreams = 0;
  let timer = setTimeout(() => session.close(), headersTimeout);
  session.on('stream', stream => {
    openStreams += 1;
    clearTimeout(timer);
    stream.once('close', () => {
      openStreams -= 1;
      if (openStreams === 0 && !session.closed) timer = setTimeout(() => session.close(), keepAliveTimeout);
    });
  });
  session.once('close', () => clearTimeout(timer));
}

/** Size of a request's headers; Node tells clients of its limit, and does not hold them to it. */
function headerBytesOf({ rawHeaders }: Http2ServerRequest): number {
  let bytes = 0;
  for (const text of rawHeaders) bytes += text.length;
  return bytes;
}

/** Answers that were written in whole, and that their clients have not read. One that is not read in time is ended. */
class UnreadAnswers {
  readonly #timers = new Map<ServerHttp2Stream, NodeJS.Timeout>();
  #readTimeMs: number;

  constructor(readTimeMs: number) {
    this.#readTimeMs = readTimeMs;
  }

  watch(stream: ServerHttp2Stream): void {
    const end = stream.end.bind(stream);
    stream.end = ((...args: Parameters<typeof end>) => {
      this.#expect(stream);
      return end(...args);
    }) as typeof stream.end;
    stream.once('close', () => {
      clearTimeout(this.#timers.get(stream));
      this.#timers.delete(stream);
    });
  }

  /** Gives all answers, those that are still to be written too, a last short time. */
  hurry(): void {
    this.#readTimeMs = lastReadTimeMs;
    for (const stream of this.#timers.keys()) this.#expect(stream);
  }

  #expect(stream: ServerHttp2Stream): void {
    clearTimeout(this.#timers.get(stream));
    this.#timers.set(
      stream,
      setTimeout(() => stream.close(constants.NGHTTP2_CANCEL), this.#readTimeMs),
    );
  }
}

/** Refuses a request whose body does not come in time. */
function limitRequestTime(request: Http2ServerRequest, requestTimeout: number): void {
  const { stream } = request;
  if (stream.readableEnded || stream.endAfterHeaders) return;
  const timer = setTimeout(() => {
    if (!stream.headersSent && !stream.destroyed)
      stream.respond(
        { [constants.HTTP2_HEADER_STATUS]: constants.HTTP_STATUS_REQUEST_TIMEOUT },
        { endStream: true },
      );
    stream.close(constants.NGHTTP2_CANCEL);
  }, requestTimeout);
  stream.once('end', () => clearTimeout(timer));
  stream.once('close', () => clearTimeout(timer));
}
