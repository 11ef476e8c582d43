import { promisify } from 'node:util';
import { brotliDecompress, gunzip, inflate } from 'node:zlib';
import type { Dispatcher } from 'undici';

const decoders: Readonly<
  Record<string, (data: Buffer, options: { maxOutputLength: number }) => Promise<Buffer>>
> = {
  gzip: promisify(gunzip),
  'x-gzip': promisify(gunzip),
  deflate: promisify(inflate),
  br: promisify(brotliDecompress),
};

/**
 * Reads a body as text, decompressed when it is compressed (also by a server that was not asked to).
 *
 * @throws Error for an encoding that is not known, or data that is not of the encoding; with the code
 *   ERR_BUFFER_TOO_LARGE when more than `maxBytes` come out
 */
export async function decodeBody(
  body: Dispatcher.ResponseData['body'],
  encodings: string | string[] | undefined,
  maxBytes: number,
): Promise<string> {
  const names = encodingsOf(encodings);
  if (names.length === 0) return body.text();
  let data: Buffer = Buffer.from(await body.arrayBuffer());
  // They are named in the order in which they were applied: RFC 9110, section 8.4.
  for (const name of names.reverse()) {
    const decode = decoders[name];
    if (!decode) throw new Error(`the answer has the content-encoding '${name}', which is not known`);
    data = await decode(data, { maxOutputLength: maxBytes });
  }
  return data.toString('utf8');
}

function encodingsOf(value: string | string[] | undefined): string[] {
  const text = Array.isArray(value) ? value.join(',') : (value ?? '');
  return text
    .split(',')
    .map(name => name.trim().toLowerCase())
    .filter(name => name !== '' && name !== 'identity');
}
