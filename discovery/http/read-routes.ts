import type { FastifyInstance } from 'fastify';
import { sendApplication, sendInstance, sendLeases, sendListing, sendNotFound } from './answer.ts';
import type { EurekaContext } from './eureka-context.ts';
import { type InstanceRequest, parseInstancePath } from './instance-path.ts';

const addressFieldByPath = { '/vips/*': 'vipAddress', '/svips/*': 'secureVipAddress' } as const;

/** Adds the reading operations: lists, one application, one instance, virtual addresses, the change stream. */
export function addReadRoutes(app: FastifyInstance, { registry, changes, all, delta }: EurekaContext): void {
  const { leases } = registry;
  app.get('/changes', (request, reply) => changes.follow(request, reply));
  app.get('/apps', (request, reply) => sendListing(request, reply, all));
  app.get('/apps/delta', (request, reply) => sendListing(request, reply, delta));
  app.get<InstanceRequest>('/apps/:app', (request, reply) =>
    sendApplication(request, reply, leases.application(request.params.app) ?? []),
  );
  app.get<InstanceRequest>('/apps/:app/*', (request, reply) => {
    const path = parseInstancePath(request.params['*']);
    if (path?.part !== 'instance') return sendNotFound(reply);
    return sendInstance(request, reply, leases.find(request.params.app, path.id));
  });
  app.get<InstanceRequest>('/instances/*', (request, reply) =>
    sendInstance(request, reply, leases.findById(request.params['*'])),
  );
  for (const [path, field] of Object.entries(addressFieldByPath))
    app.get<InstanceRequest>(path, (request, reply) => {
      const wanted = request.params['*'];
      const found = [...leases.all()].filter(({ info }) => info[field]?.split(',').includes(wanted));
      return sendLeases(request, reply, found);
    });
}
