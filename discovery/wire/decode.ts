import { gunzipSync } from 'node:zlib';
import { messageOf, PorticoError } from '../../platform/errors.ts';
import { parseXml } from './xml-read.ts';

interface Encoded {
  readonly body: Buffer;
  readonly contentType: string | undefined;
  readonly contentEncoding: string | undefined;
  /** Largest size once it is unpacked. */
  readonly maxBytes: number;
}

/**
 * Decodes a request's body: JSON or XML, as its type says or its first character shows, gzipped or not.
 *
 * @throws PorticoError BAD_USER_INPUT when it is neither, or too large
 */
export function decodeBody({ body, contentType = '', contentEncoding, maxBytes }: Encoded): unknown {
  const text = unpack(body, contentEncoding, maxBytes).toString('utf8').trim();
  const isXml = contentType.includes('xml') || (!contentType.includes('json') && text.startsWith('<'));
  if (isXml) return parseXml(text);
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new PorticoError('BAD_USER_INPUT', `The body is not JSON: ${messageOf(error)}`);
  }
}

function unpack(body: Buffer, contentEncoding: string | undefined, maxBytes: number): Buffer {
  if (body.length > maxBytes) throw tooLarge(maxBytes);
  if (!contentEncoding || contentEncoding === 'identity') return body;
  if (contentEncoding !== 'gzip')
    throw new PorticoError(
      'BAD_USER_INPUT',
      `The content-encoding ${contentEncoding} is not supported; send gzip or none`,
    );

  try {
    return gunzipSync(body, { maxOutputLength: maxBytes });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(maxBytes);
    throw new PorticoError('BAD_USER_INPUT', `The body cannot be unzipped: ${messageOf(error)}`);
  }
}

function tooLarge(maxBytes: number): PorticoError {
  return new PorticoError(
    'BAD_USER_INPUT',
    `The body is larger than ${maxBytes} bytes (DISCOVERY_MAX_REGISTRATION_BYTES)`,
  );
}
