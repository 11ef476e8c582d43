import { unescape as decoded } from 'node:querystring';

/** Address of a registry, and the headers of requests to it. */
export interface RegistryAddress {
  /** Base address without credentials and without a slash at its end. */
  readonly base: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Reads a registry's address: credentials in it become basic auth; without any, the token is a bearer token. */
export function registryAddress(url: string, token: string | undefined): RegistryAddress {
  const parsed = new URL(url);
  const { username, password } = parsed;
  parsed.username = '';
  parsed.password = '';
  const headers: Record<string, string> = {};
  if (username || password) {
    const credentials = `${decoded(username)}:${decoded(password)}`;
    headers['authorization'] = `Basic ${Buffer.from(credentials).toString('base64')}`;
  } else if (token) headers['authorization'] = `Bearer ${token}`;

  return { base: parsed.href.replace(/\/+$/, ''), headers };
}
