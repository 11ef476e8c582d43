import { promisify } from 'node:util';
import { brotliDecompress, gunzip, inflate } from 'node:zlib';

const decoders: Readonly<
  Record<string, (data: Buffer, options: { maxOutputLength: number }) => Promise<Buffer>>
> = {
  gzip: promisify(gunzip),
  'x-gzip': promisify(gunzip),
  deflate: promisify(inflate),
  br: promisify(brotliDecompress),
};

/** Reads a body as text. @param encodings its header content-encoding @throws as {@link decodeBody} does */
export function readBody(
  body: Buffer,
  encodings: string | string[] | undefined,
  maxBytes: number,
): string | Promise<string> {
  return encodings === undefined ? decodeText(body) : decodeBody(body, encodings, maxBytes);
}

/**
 * Decompresses a body and reads it as text.
 *
 * @throws Error for an encoding that is not known, or data that is not of the encoding; with the code
 *   ERR_BUFFER_TOO_LARGE when more than `maxBytes` come out
 */
async function decodeBody(body: Buffer, encodings: string | string[], maxBytes: number): Promise<string> {
  const names = encodingsOf(encodings);
  let data = body;
  // They are named in the order in which they were applied: RFC 9110, section 8.4.
  for (const name of names.reverse()) {
    const decode = decoders[name];
    if (!decode) throw new Error(`the answer has the content-encoding '${name}', which is not known`);
    data = await decode(data, { maxOutputLength: maxBytes });
  }
  return decodeText(data);
}

/** As the Encoding Standard decodes UTF-8: a byte order mark is left out. */
function decodeText(data: Buffer): string {
  const hasMark = data[0] === 0xef && data[1] === 0xbb && data[2] === 0xbf;
  return data.toString('utf8', hasMark ? 3 : 0);
}

function encodingsOf(value: string | string[]): string[] {
  const text = Array.isArray(value) ? value.join(',') : value;
  return text
    .split(',')
    .map(name => name.trim().toLowerCase())
    .filter(name => name !== '' && name !== 'identity');
}
