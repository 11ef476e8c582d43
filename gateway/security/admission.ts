import type { FastifyReply, FastifyRequest } from 'fastify';
import { PorticoError } from '../../platform/errors.ts';
import type { Authorization } from '../authorization/authorization.ts';
import type { Authenticator } from './authenticate.ts';
import type { Credentials } from './credentials.ts';
import type { OperationCaller } from './operation-caller.ts';
import type { RateLimit } from './rate-limit.ts';

/** Parts that decide who may come in. */
export interface Admission {
  readonly authenticator: Authenticator;
  readonly credentials: Credentials;
  readonly authorization: Pick<Authorization, 'prepare'>;
  readonly rateLimit: RateLimit;
}

/** Finds the caller of a request, and what the caller may have, and counts the operation. @throws PorticoError when it is refused */
export async function admit(
  request: FastifyRequest,
  reply: FastifyReply,
  { authenticator, credentials, authorization, rateLimit }: Admission,
): Promise<OperationCaller> {
  // Apollo Server makes a URL of it.
  if (request.host === '') throw new PorticoError('BAD_USER_INPUT', 'The request names no host');
  if (credentials.useCookies) varyByCookie(reply);
  const caller = await authenticator.authenticate(credentials.of(request.raw));
  if (rateLimit.isActive)
    void reply.headers(await rateLimit.count({ caller, address: rateLimit.addressOf(request.raw) }));
  await authorization.prepare(caller);
  return caller;
}

/** Tells caches that an answer is for those with the same cookies. */
function varyByCookie(reply: FastifyReply): void {
  const vary = reply.getHeader('vary');
  void reply.header('vary', vary === undefined ? 'Cookie' : `${String(vary)}, Cookie`);
}
