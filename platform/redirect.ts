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

/** Redirects of one request that are followed. */
const maxRedirects = 3;

/**
 * Asks at an address, and where it leads on the same scheme, host and port, as {@link redirectWithin} says.
 *
 * @param ask takes an address
 * @param redirectOf status and location of an answer
 * @returns the last answer, and where it was
 */
export async function followRedirects<Answer>(
  first: string,
  ask: (url: string) => Promise<Answer>,
  redirectOf: (answer: Answer) => {
    readonly status: number;
    readonly location: string | readonly string[] | undefined;
  },
): Promise<{ readonly url: string; readonly answer: Answer }> {
  let url = first;
  for (let redirects = 0; ; redirects++) {
    const answer = await ask(url);
    const { status, location } = redirectOf(answer);
    const next = redirects < maxRedirects ? redirectWithin(url, status, location) : undefined;
    if (next === undefined) return { url, answer };
    url = next;
  }
}
