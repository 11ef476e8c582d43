const redirectStatuses: ReadonlySet<number> = new Set([301, 302, 307, 308]);

/**
 * Address to which a redirect leads on the same scheme, host and port, where frameworks lead to `/graphql/` from
 * `/graphql`; undefined for what is no redirect, and for one that leads elsewhere.
 *
 * @param location value of the header `location`
 */
export function redirectWithin(
  url: string,
  status: number,
  location: string | readonly string[] | undefined,
): string | undefined {
  if (!redirectStatuses.has(status) || typeof location !== 'string' || !URL.canParse(location, url))
    return undefined;
  const [from, to] = [new URL(url), new URL(location, url)];
  to.hash = '';
  // Credentials are part of the address, but not of its origin.
  if (to.origin !== from.origin || to.username || to.password || to.href === from.href) return undefined;
  return to.href;
}
