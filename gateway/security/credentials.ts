import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { PorticoError } from '../../platform/errors.ts';
import type { GatewayConfig } from '../config.ts';
import { GatewayError } from '../gateway-error.ts';

/**
 * Finds what a request shows of its caller. Browsers send cookies along whichever page asks, so that a request which is
 * somebody's by its cookie has to come from a page that may use it.
 */
export interface Credentials {
  /** True if a cookie says who the caller is, here or at a subgraph. */
  readonly useCookies: boolean;
  /**
   * The header Authorization of a request; without one, the token of its cookie as the same header would have it; undefined
   * for nobody.
   *
   * @throws GatewayError ORIGIN_NOT_ALLOWED when a cookie counts, and the page may not use it; PorticoError UNAUTHENTICATED
   *   when there are several cookies of the name
   */
  of(request: IncomingMessage): string | undefined;
  /** The same for the upgrade to a WebSocket, by its cookie alone. Browsers always name the page of one. */
  ofUpgrade(request: IncomingMessage): string | undefined;
}

type CredentialsConfig = Pick<
  GatewayConfig,
  'JWT_COOKIE' | 'CORS_ORIGINS' | 'CORS_CREDENTIALS' | 'HEADERS_TO_SUBGRAPHS'
>;

/** Creates the finder of credentials. Without `JWT_COOKIE`, cookies count only where `HEADERS_TO_SUBGRAPHS` has them. */
export function createCredentials(config: CredentialsConfig): Credentials {
  const { JWT_COOKIE: name } = config;
  const origins: ReadonlySet<string> = new Set(config.CORS_CREDENTIALS ? config.CORS_ORIGINS : []);
  const passesCookies = config.HEADERS_TO_SUBGRAPHS.some(each => each.toLowerCase() === 'cookie');

  function tokenOf(
    request: IncomingMessage,
    isFromAllowedPage: (request: IncomingMessage) => boolean,
  ): string | undefined {
    const { cookie } = request.headers;
    if (cookie === undefined) return undefined;
    const token = name === undefined ? undefined : cookieNamed(name, cookie);
    if (token === undefined && !passesCookies) return undefined;
    if (!isFromAllowedPage(request)) throw originNotAllowed(request.headers);
    return token && `Bearer ${token}`;
  }

  return {
    useCookies: name !== undefined || passesCookies,
    of: request =>
      request.headers.authorization ??
      tokenOf(
        request,
        each => (each.headers.origin === undefined && isNotCrossSite(each.headers)) || mayUse(each),
      ),
    ofUpgrade: request => tokenOf(request, mayUse),
  };

  /** True if the page is listed, or one of this host. */
  function mayUse(request: IncomingMessage): boolean {
    const { origin } = request.headers;
    return origin !== undefined && (origins.has(origin) || isOwn(origin, request));
  }
}

/** True if no browser says that another site's page has asked. */
function isNotCrossSite({ 'sec-fetch-site': site }: IncomingHttpHeaders): boolean {
  return site === undefined || site === 'same-origin' || site === 'none';
}

/**
 * True if the page is of this host. A browser says so itself (https://www.w3.org/TR/fetch-metadata/), or it names the page and
 * the host that it asks, neither of which a page can choose.
 */
function isOwn(origin: string, { headers, socket }: IncomingMessage): boolean {
  const site = headers['sec-fetch-site'];
  if (site !== undefined) return site === 'same-origin';
  const host = headers.host ?? String(headers[':authority']);
  const isEncrypted = (socket as TLSSocket).encrypted === true;
  return origin === `https://${host}` || (!isEncrypted && origin === `http://${host}`);
}

/** The value of a cookie; undefined when there is none, or an empty one. @throws PorticoError UNAUTHENTICATED when there are several */
function cookieNamed(name: string, header: string): string | undefined {
  const values = header
    .split(';')
    .map(pair => pair.trim())
    .filter(pair => pair.startsWith(`${name}=`))
    .map(pair => pair.slice(name.length + 1).replace(/^"(.*)"$/, '$1'));
  // A neighbouring host may have set the other one.
  if (values.length > 1)
    throw new PorticoError(
      'UNAUTHENTICATED',
      `There are ${values.length} cookies '${name}'; only one may come`,
    );
  return values[0] || undefined;
}

function originNotAllowed({ origin = 'no page that it names' }: IncomingHttpHeaders): GatewayError {
  return new GatewayError(
    'ORIGIN_NOT_ALLOWED',
    `A request with a cookie comes from ${origin}, which may not use it; it may when CORS_ORIGINS lists its origin and CORS_CREDENTIALS is true`,
  );
}
