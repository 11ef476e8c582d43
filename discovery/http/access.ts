import type { FastifyInstance, FastifyRequest } from 'fastify';
import { createSecretCheck } from '../../platform/secret.ts';

interface AccessRules {
  /** Token that writers must show; undefined lets everybody write. */
  readonly token: string | undefined;
  /** True if readers must show it too. */
  readonly readsNeedToken: boolean;
}

const readMethods = ['GET', 'HEAD', 'OPTIONS'];

/**
 * Lets in who may come in. The token comes as a bearer token, or as the password of basic auth under any name, as
 * Spring's clients send it from the URL. A write that a web page makes is refused, whoever looks at the page.
 */
export function guard(app: FastifyInstance, { token, readsNeedToken }: AccessRules): void {
  const isToken = token === undefined ? undefined : createSecretCheck(token);
  app.addHook('onRequest', async (request, reply) => {
    const reads = readMethods.includes(request.method);
    if (!reads && request.headers.origin !== undefined)
      return reply.code(403).type('text/plain').send('A web page may not register a service');

    if (isToken === undefined || (reads && !readsNeedToken)) return;
    const shown = shownToken(request);
    if (shown !== undefined && isToken(shown)) return;
    // The challenge makes a browser ask for the password, which the dashboard needs when reads are closed.
    return reply
      .code(401)
      .header('www-authenticate', 'Basic realm="discovery", charset="UTF-8"')
      .type('text/plain')
      .send(
        `The request shows ${shown === undefined ? 'no token' : "a token that is not the registry's"}; send DISCOVERY_TOKEN in the header Authorization`,
      );
  });
}

function shownToken({ headers: { authorization = '' } }: FastifyRequest): string | undefined {
  const [scheme = '', value = ''] = authorization.split(/ +/, 2);
  if (scheme.toLowerCase() === 'bearer') return value;
  if (scheme.toLowerCase() !== 'basic') return undefined;
  const credentials = Buffer.from(value, 'base64').toString('utf8');
  return credentials.slice(credentials.indexOf(':') + 1);
}
