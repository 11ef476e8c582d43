import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { messageOf } from '../errors.ts';

/** Files of a server's certificate, as text. */
export interface TlsMaterial {
  readonly cert: string;
  readonly key: string;
  /** Certificates that sign those of clients; undefined when clients need none. */
  readonly ca?: string;
  /** Time at which the certificate expires, in ms since 1970. */
  readonly expiresAtMs: number;
}

/** Settings that name the files. */
interface TlsFiles {
  readonly TLS_CERT_FILE?: string | undefined;
  readonly TLS_KEY_FILE?: string | undefined;
  readonly TLS_CLIENT_CA_FILE?: string | undefined;
}

/**
 * Reads the files.
 *
 * @returns undefined when the settings name no certificate
 * @throws Error that names the setting and its file when one can't be read or used, or when they do not belong together
 */
export function readTlsMaterial(files: TlsFiles): TlsMaterial | undefined {
  if (files.TLS_CERT_FILE === undefined) return undefined;
  const cert = read(files, 'TLS_CERT_FILE');
  const key = read(files, 'TLS_KEY_FILE');
  const certificate = parse(files, 'TLS_CERT_FILE', 'certificate', () => new X509Certificate(cert));
  const privateKey = parse(files, 'TLS_KEY_FILE', 'private key', () => createPrivateKey(key));
  checkPair(files, certificate, privateKey);
  const ca = files.TLS_CLIENT_CA_FILE === undefined ? undefined : read(files, 'TLS_CLIENT_CA_FILE');
  if (ca !== undefined) parse(files, 'TLS_CLIENT_CA_FILE', 'certificate', () => new X509Certificate(ca));
  const material = { cert, key, ...(ca === undefined ? {} : { ca }) };
  // OpenSSL refuses what it takes for too weak, and a chain with something else in it.
  parse(files, 'TLS_CERT_FILE', 'chain of certificates', () => createSecureContext(material));
  return { ...material, expiresAtMs: Date.parse(certificate.validTo) };
}

function read(files: TlsFiles, name: keyof TlsFiles): string {
  try {
    return readFileSync(files[name] ?? '', 'utf8');
  } catch (cause) {
    throw new Error(`${name} can't be read: ${messageOf(cause)}`, { cause });
  }
}

function parse<T>(files: TlsFiles, name: keyof TlsFiles, what: string, make: () => T): T {
  try {
    return make();
  } catch (cause) {
    throw new Error(`${name} expected a ${what} in PEM in ${files[name]}, but got: ${messageOf(cause)}`, {
      cause,
    });
  }
}

function checkPair(files: TlsFiles, certificate: X509Certificate, key: KeyObject): void {
  if (certificate.checkPrivateKey(key)) return;
  throw new Error(
    `TLS_KEY_FILE (${files.TLS_KEY_FILE}) is not the key of the certificate in TLS_CERT_FILE (${files.TLS_CERT_FILE})`,
  );
}
