import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { registerInstance } from '../helpers/subgraph.ts';

/** A subgraph that answers as the test says, byte by byte. */
export interface RawSubgraph {
  /** Answers the operations that come from now on. */
  answerWith(answer: (response: ServerResponse, body: string) => void): void;
  close(): void;
}

interface RawSubgraphOptions {
  readonly name: string;
  readonly sdl: string;
  readonly registryUrl: string;
  readonly metadata?: Readonly<Record<string, string>>;
}

/** Serves and registers a subgraph. Whoever asks for its SDL gets that. */
export async function serveRawSubgraph({
  name,
  sdl,
  registryUrl,
  metadata,
}: RawSubgraphOptions): Promise<RawSubgraph> {
  let answer: (response: ServerResponse, body: string) => void = response => response.end('{"data":{}}');
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    response.on('error', () => {});
    request.on('error', () => {});
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString();
      if (body.includes('_service')) response.end(JSON.stringify({ data: { _service: { sdl } } }));
      else answer(response, body);
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await registerInstance({ registryUrl, name, port, metadata, leaseSeconds: 3_600 });
  return {
    answerWith(next) {
      answer = next;
    },
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
