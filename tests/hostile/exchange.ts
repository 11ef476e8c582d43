import { request } from 'node:http';

/** Answer of a listener. Its status is 0 when it closed the connection instead. */
export interface Answer {
  readonly status: number;
  readonly text: string;
}

interface Exchange {
  readonly url: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  /** @default 10000 */
  readonly withinMs?: number;
}

/** Sends a request as it stands: the path is not made valid, as other clients do. @throws Error when nothing comes in time */
export function ask({
  url,
  method = 'GET',
  headers = {},
  body,
  withinMs = 10_000,
}: Exchange): Promise<Answer> {
  const [, host = '', port = '', path = '/'] = /^http:\/\/([^:/]+):(\d+)(.*)$/s.exec(url) ?? [];
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
    const sent = request({ host, port, path, method, agent: false, headers: { ...length, ...headers } });
    const timer = setTimeout(() => {
      sent.destroy();
      reject(new Error(`No answer came within ${withinMs} ms`));
    }, withinMs);
    const settle = (answer: Answer) => {
      clearTimeout(timer);
      resolve(answer);
    };
    sent.on('response', response => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () =>
        settle({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() }),
      );
      response.on('error', () => settle({ status: 0, text: '' }));
    });
    sent.on('error', () => settle({ status: 0, text: '' }));
    sent.end(body);
  });
}
