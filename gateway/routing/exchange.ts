import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici';
import { decodeBody, decodeText } from './response-body.ts';

/** One request to an instance. */
export interface ExchangeRequest {
  /** Scheme, host and port. */
  readonly origin: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What came back. */
export interface ExchangeResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** The body, decompressed. */
  readonly text: string;
}

type Head = Omit<ExchangeResponse, 'text'>;

interface ExchangeOptions {
  readonly dispatcher: Dispatcher;
  /** Each ends the request at once, with its reason. */
  readonly signals: readonly (AbortSignal | undefined)[];
  /** Most bytes of the body when it was compressed. Those that are sent are the dispatcher's to bound. */
  readonly maxResponseBytes: number;
}

/**
 * Posts a request and reads the whole answer. It takes less time than `undici.request`, which makes a stream of each answer.
 *
 * @throws the reason of the signal that ended it; otherwise what undici says
 */
export function exchange(
  request: ExchangeRequest,
  { dispatcher, signals, maxResponseBytes }: ExchangeOptions,
): Promise<ExchangeResponse> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let controller: Dispatcher.DispatchController | undefined;
    let response: Head | undefined;
    let aborted: Error | undefined;

    // Also before there is a connection: whoever waits is told at once.
    function abort(this: AbortSignal): void {
      aborted = this.reason as Error;
      controller?.abort(aborted);
      end();
      reject(aborted);
    }
    function end(): void {
      for (const signal of signals) signal?.removeEventListener('abort', abort);
    }

    for (const signal of signals) {
      if (signal?.aborted) {
        end();
        reject(signal.reason as Error);
        return;
      }
      signal?.addEventListener('abort', abort);
    }
    dispatcher.dispatch(
      { ...request, method: 'POST' },
      {
        onRequestStart(started) {
          controller = started;
          if (aborted) started.abort(aborted);
        },
        onResponseStart(_controller, status, answerHeaders) {
          response = { status, headers: answerHeaders };
        },
        onResponseData(_controller, chunk) {
          chunks.push(chunk);
        },
        onResponseEnd() {
          end();
          const { status, headers } = response as Head;
          const whole = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
          const encodings = headers['content-encoding'];
          if (encodings === undefined) resolve({ status, headers, text: decodeText(whole) });
          else
            decodeBody(whole, encodings, maxResponseBytes).then(
              text => resolve({ status, headers, text }),
              reject,
            );
        },
        onResponseError(_controller, error) {
          end();
          reject(error);
        },
      },
    );
  });
}
