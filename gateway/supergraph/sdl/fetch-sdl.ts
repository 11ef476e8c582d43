import { type Dispatcher, request } from 'undici';
import * as z from 'zod';
import { readBounded } from '../../../platform/bounded-text.ts';
import { messageOf } from '../../../platform/errors.ts';
import { hashOfSdl } from '../../../platform/graphql/sdl.ts';
import { followRedirects } from '../../../platform/redirect.ts';
import { metadataKeys, type ServiceInstance } from '../../../platform/registry/instance.ts';
import { graphqlUrlOf } from '../../../platform/service-client.ts';

/** Largest SDL that is read, in bytes. */
const maxSdlBytes = 16 * 1024 * 1024;
const timeoutMs = 5_000;

const answerSchema = z.object({
  data: z.object({ _service: z.object({ sdl: z.string().min(1) }) }),
});

const errorsSchema = z.object({ errors: z.array(z.object({ message: z.string() })).min(1) });

/** The SDL of an instance could not be read. */
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
  const ends = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  try {
    const { answer: response } = await followRedirects(
      url,
      at => ask(at, agent, ends),
      ({ statusCode, headers }) => ({ status: statusCode, location: headers['location'] }),
    );
    const answer = parseJson(response.text);
    const found = answerSchema.safeParse(answer);
    if (!found.success) throw new Error(describeFault(instance, response, answer));
    const { sdl } = found.data.data._service;
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

async function ask(url: string, agent: Dispatcher, signal: AbortSignal) {
  const { statusCode, headers, body } = await request(url, {
    dispatcher: agent,
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json' },
    body: JSON.stringify({ query: '{ _service { sdl } }' }),
    signal,
  });
  return { statusCode, headers, text: await readBounded(body, maxSdlBytes) };
}

/** Says what came in the place of an SDL, and what to try. What was written is no business of who reads this. */
function describeFault(
  { metadata }: ServiceInstance,
  { statusCode, headers }: Pick<Dispatcher.ResponseData, 'statusCode' | 'headers'>,
  answer: unknown,
): string {
  const path = metadata[metadataKeys.graphqlPath] || '/graphql';
  const { location } = headers;
  if (statusCode >= 300 && statusCode < 400 && location !== undefined)
    return `it redirects to ${String(location)} (status ${statusCode}). Register the path that GraphQL is served at as '${metadataKeys.graphqlPath}', which is ${path} now`;
  if (statusCode === 401 || statusCode === 403)
    return `it wants to know who asks (status ${statusCode}). The gateway asks for the SDL as nobody: allow { _service { sdl } }`;
  const errors = errorsSchema.safeParse(answer);
  const came = `status ${statusCode} and ${String(headers['content-type'] ?? 'no content type')}`;
  if (errors.success)
    return `it answered with errors and ${came}: ${errors.data.errors.map(({ message }) => message.replace(/\.$/, '')).join('; ')}. Is it an Apollo Federation subgraph, which answers { _service { sdl } }?`;
  return `it answered with ${came}, and no SDL. Register the path that GraphQL is served at as '${metadataKeys.graphqlPath}', which is ${path} now`;
}

/** @returns undefined for what is no JSON */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
