import { type Dispatcher, request } from 'undici';
import * as z from 'zod';
import { messageOf } from '../../platform/errors.ts';
import { hashOfSdl } from '../../platform/graphql/sdl.ts';
import type { ServiceInstance } from '../../platform/registry/instance.ts';
import { graphqlUrlOf } from '../../platform/service-client.ts';

/** Largest SDL that is read, in bytes. */
const maxSdlBytes = 16 * 1024 * 1024;
const timeoutMs = 5_000;

const answerSchema = z.object({
  data: z.object({ _service: z.object({ sdl: z.string().min(1) }) }),
});

/** Why an instance's SDL could not be read. */
export class SdlError extends Error {
  override readonly name = 'SdlError';
}

/**
 * Asks an instance for the SDL of its subgraph.
 *
 * @see https://www.apollographql.com/docs/graphos/schema-design/federated-schemas/reference/subgraph-spec
 * @throws SdlError naming the instance
 */
export async function fetchSdl(
  instance: ServiceInstance,
  { agent, signal }: { agent: Dispatcher; signal: AbortSignal },
): Promise<{ sdl: string; hash: string }> {
  const url = graphqlUrlOf(instance);
  try {
    const response = await request(url, {
      dispatcher: agent,
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json' },
      body: JSON.stringify({ query: '{ _service { sdl } }' }),
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
    });
    const text = await readBounded(response.body);
    const answer = answerSchema.safeParse(JSON.parse(text));
    if (!answer.success) throw new Error(`it answered ${response.statusCode} ${text.slice(0, 200)}`);
    const { sdl } = answer.data.data._service;
    return { sdl, hash: hashOfSdl(sdl) };
  } catch (cause) {
    throw new SdlError(
      `The SDL of ${instance.app.toLowerCase()} could not be read at ${url}: ${messageOf(cause)}`,
      {
        cause,
      },
    );
  }
}

async function readBounded(body: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.byteLength;
    if (size > maxSdlBytes) throw new Error(`it is larger than ${maxSdlBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
