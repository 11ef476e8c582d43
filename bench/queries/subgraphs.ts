import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type GraphQLSchema, graphql } from 'graphql';
import { registerInstance } from '../../tests/helpers/subgraph.ts';
import { subgraphs } from './federation.ts';
import { changing, filler } from './fillers.ts';
import { markIn, unmarked } from './never-seen.ts';

/*
 * All subgraphs that gateways are measured over, in one process. An answer is computed once and remembered by the request's
 * body, so that the subgraphs cost as little as they can: what is measured is the gateway. `{ type: 'change', version }`
 * gives one of them another schema.
 */

const [, , registryUrl = '', count = '0'] = process.argv;
const leaseSeconds = 3_600;
const changingName = 'changing';
const urls: Record<string, string> = {};

/** Serves a schema on a free port, of which only `serve` says what it is from then on. */
async function listen(name: string): Promise<(schema: GraphQLSchema, hash: string) => Promise<void>> {
  let served: GraphQLSchema | undefined;
  const answers = new Map<string, Buffer>();
  const answerTo = async (body: string): Promise<Buffer> => {
    if (!served) throw new Error(`The subgraph '${name}' expected to have a schema before it is asked`);
    const { query, variables } = JSON.parse(body) as { query: string; variables?: Record<string, unknown> };
    const result = await graphql({ schema: served, source: query, variableValues: variables });
    return Buffer.from(JSON.stringify(result));
  };
  const knownAnswerTo = async (body: string): Promise<Buffer> => {
    const mark = markIn(body);
    const key = mark === undefined ? body : body.replaceAll(mark, unmarked);
    const known = answers.get(key) ?? (await answerTo(Buffer.from(key, 'latin1').toString()));
    answers.set(key, known);
    return mark === undefined ? known : Buffer.from(known.toString().replaceAll(unmarked, mark));
  };
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('latin1');
    request.on('data', (chunk: string) => {
      body += chunk;
    });
    const answer = (bytes: Buffer) =>
      response
        .writeHead(200, { 'content-type': 'application/json', 'content-length': bytes.length })
        .end(bytes);
    request.on('end', () => {
      // What is known is answered at once.
      const known = answers.get(body);
      if (known) answer(known);
      else void knownAnswerTo(body).then(answer);
    });
  });
  // A connection that waits for its gateway's turn is not to be lost.
  server.keepAliveTimeout = 0;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  urls[name] = `http://127.0.0.1:${port}/graphql`;
  return async (schema, hash) => {
    served = schema;
    answers.clear();
    const metadata = { subgraph: name, 'schema.hash': hash };
    await registerInstance({ registryUrl, name, port, leaseSeconds, metadata });
  };
}

for (const [name, schema] of Object.entries(subgraphs)) {
  const serve = await listen(name);
  await serve(schema, name);
}
const others = Number(count) - Object.keys(subgraphs).length;
if (others > 0) {
  const change = await listen(changingName);
  await change(changing(0), 'version0');
  process.on('message', ({ type, version }: { type: string; version: number }) => {
    if (type === 'change')
      void change(changing(version), `version${version}`).then(() => process.send?.({ type: 'changed' }));
  });
}
for (let index = 1; index < others; index++) {
  const serve = await listen(`filler${index}`);
  await serve(filler(index), 'filler');
}
process.on('disconnect', () => process.exit());
process.send?.({ type: 'ready', urls });
