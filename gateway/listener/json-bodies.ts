import type { FastifyInstance, FastifyRequest } from 'fastify';

/** Parses the body of a request, unless it is parsed already. @throws Error when it is no JSON */
export type ParseBody = (request: FastifyRequest) => unknown;

/**
 * Leaves JSON as text until it is needed: an operation that is under way already is found by it. Bodies of other types are
 * refused: a page of another site can send those without being asked whether it may.
 *
 * @returns what parses a body, as Fastify does
 */
export function readBodiesAsText(app: FastifyInstance): ParseBody {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (_request, text, done) => {
    done(null, text);
  });
  const parseJson = app.getDefaultJsonParser('error', 'error');
  return request => {
    if (typeof request.body !== 'string') return request.body;
    void parseJson(request, request.body, (error, body: unknown) => {
      if (error) throw error;
      request.body = body;
    });
    return request.body;
  };
}
