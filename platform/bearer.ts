/** The token of an Authorization header (RFC 6750); undefined when it is of another scheme. */
export function bearerTokenOf(authorization: string): string | undefined {
  return /^bearer\s+(\S+)$/i.exec(authorization.trim())?.[1];
}
