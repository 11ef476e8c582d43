import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { graphql } from 'graphql';
import { registerInstance } from '../../tests/helpers/subgraph.ts';
import { subgraphs } from './federation.ts';

/*
 * All subgraphs that gateways are measured over, in one process. An answer is computed once and remembered by the request's
 * body, so that the subgraphs cost as little as they can: what is measured is the gateway.
 */

const [, , registryUrl = ''] = process.argv;
const leaseSeconds = 3_600;
const urls: Record<string, string> = {};

for (const [name, { schema }] of Object.entries(subgraphs)) {
  const answers = new Map<string, Buffer>();
  const answerTo = async (body: string): Promise<Buffer> => {
    const { query, variables } = JSON.parse(body) as { query: string; variables?: Record<string, unknown> };
    const answer = Buffer.from(
      JSON.stringify(await graphql({ schema, source: query, variableValues: variables })),
    );
    answers.set(body, answer);
    return answer;
  };
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('latin1');
    request.on('data', (chunk: string) => {
      body += chunk;
    });
    const answer = (known: Buffer) =>
      response
        .writeHead(200, { 'content-type': 'application/json', 'content-length': known.length })
        .end(known);
    request.on('end', () => {
      const known = answers.get(body);
      if (known) answer(known);
      else void answerTo(Buffer.from(body, 'latin1').toString()).then(answer);
    });
  });
  server.keepAliveTimeout = 60_000;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  urls[name] = `http://127.0.0.1:${port}/graphql`;
  await registerInstance({
    registryUrl,
    name,
    port,
    leaseSeconds,
    metadata: { subgraph: name, 'schema.hash': name },
  });
}
process.on('disconnect', () => process.exit());
process.send?.({ type: 'ready', urls });
