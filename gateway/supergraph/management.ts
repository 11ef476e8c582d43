import type { FastifyInstance } from 'fastify';
import * as z from 'zod';
import { PorticoError } from '../../platform/errors.ts';
import type { RegistryView } from '../../platform/registry/follower.ts';
import { GatewayError } from '../gateway-error.ts';
import { describeSupergraph } from './describe.ts';
import type { LaunchHistory } from './launches/launch-history.ts';
import type { Operator } from './operator.ts';
import type { ServedGraph } from './served-graph.ts';

interface ManagementOptions {
  readonly management: FastifyInstance;
  readonly served: ServedGraph;
  readonly operator: Operator;
  readonly registry: RegistryView;
  readonly history: LaunchHistory;
}

const command = z.union(
  [
    z.strictObject({ rollBackTo: z.number().int().positive() }),
    z.strictObject({ follow: z.literal(true) }),
    z.strictObject({
      approve: z.strictObject({ subgraph: z.string(), hash: z.string().min(1), sdlHash: z.string().min(1) }),
    }),
  ],
  {
    error:
      'expected {"rollBackTo": <id of a launch>}, {"follow": true} or {"approve": {"subgraph": <name>, "hash": <its schema hash>, "sdlHash": <as awaitingApproval has it>}}',
  },
);

const versionSchema = z.object({ subgraph: z.string(), hash: z.string() });

/** Finds the SDL of a version. @throws PorticoError NOT_FOUND */
function sdlOf({ graph, faults }: ServedGraph, { subgraph, hash }: z.infer<typeof versionSchema>): string {
  const found =
    faults.heldBack.find(each => each.subgraph === subgraph && each.hash === hash) ??
    graph?.subgraphs.find(each => each.name === subgraph && each.hash === hash);
  if (found) return found.sdl;
  throw new PorticoError(
    'NOT_FOUND',
    `No version ${hash.slice(0, 80)} of the subgraph '${subgraph.slice(0, 80)}' is served or held back`,
  );
}

/**
 * Adds to the management endpoints:
 * - `GET /actuator/supergraph`: what is served, what is held back and why
 * - `GET /actuator/supergraph/sdl`: the supergraph itself; with `?subgraph=reviews&hash=…` the SDL of a version that is served or
 *   held back
 * - `GET /actuator/supergraph/history`: every composition, the newest first
 * - `POST /actuator/supergraph` with `{"rollBackTo": 3}`, `{"follow": true}` or
 *   `{"approve": {"subgraph": "reviews", "hash": "…", "sdlHash": "…"}}`
 * - `DELETE /actuator/supergraph/subgraphs/{name}`: takes a subgraph that has no instance out of the graph; not of one that
 *   an operator has gone back to
 */
export function serveSupergraph({
  management,
  served,
  operator,
  registry,
  history,
}: ManagementOptions): void {
  const describe = () => describeSupergraph(served, registry);

  management.get('/actuator/supergraph', (_request, reply) => reply.send(describe()));
  management.get('/actuator/supergraph/sdl', (request, reply) => {
    const version = versionSchema.safeParse(request.query);
    if (version.success) return reply.type('text/plain').send(sdlOf(served, version.data));
    if (!served.graph) throw new GatewayError('GRAPH_NOT_READY', 'No subgraph has been composed yet');
    return reply.type('text/plain').send(served.graph.supergraphSdl);
  });
  management.get('/actuator/supergraph/history', (_request, reply) =>
    reply.send({ launches: [...history.launches].reverse() }),
  );
  management.post('/actuator/supergraph', async (request, reply) => {
    const parsed = command.safeParse(request.body);
    if (!parsed.success) throw new PorticoError('BAD_USER_INPUT', z.prettifyError(parsed.error));
    if ('rollBackTo' in parsed.data) await operator.rollBack(parsed.data.rollBackTo);
    else if ('approve' in parsed.data) await operator.approve(parsed.data.approve);
    else await operator.follow();
    return reply.send(describe());
  });
  management.delete<{ Params: { name: string } }>(
    '/actuator/supergraph/subgraphs/:name',
    async (request, reply) => {
      await operator.remove(request.params.name);
      return reply.send(describe());
    },
  );
}
