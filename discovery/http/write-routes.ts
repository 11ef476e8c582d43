import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { PorticoError } from '../../platform/errors.ts';
import type { ReplicationAction } from '../replication/replication-queue.ts';
import type { WireObject } from '../wire/fields.ts';
import { readMetadata, readRegistration } from '../wire/read-instance.ts';
import { sendDone, sendNotFound } from './answer.ts';
import type { EurekaContext } from './eureka-context.ts';
import { type InstanceRequest, parseInstancePath } from './instance-path.ts';
import {
  decodeRequest,
  readDirtyTimestamp,
  readOverride,
  readRenewal,
  renewalSourceOf,
  requireOverride,
} from './requests.ts';

interface Target {
  readonly app: string;
  readonly id: string;
  readonly query: WireObject;
  readonly request: FastifyRequest;
}

/** An operation on one instance. @returns whether there is such an instance */
type Operation = (context: EurekaContext, target: Target) => boolean;

const putOperations = { instance: renew, status: setOverride, metadata: putMetadata } as const;
const deleteOperations = { instance: cancel, status: removeOverride, metadata: undefined } as const;

/** Adds the writing operations. What a client writes here is told to the other registries; what they pass on is not. */
export function addWriteRoutes(app: FastifyInstance, context: EurekaContext): void {
  const { maxRegistrationBytes: bodyLimit } = context;
  app.post<InstanceRequest>('/apps/:app', { bodyLimit }, async (request, reply) => {
    await register(context, request.params.app, request);
    return reply.code(204).send();
  });
  app.put<InstanceRequest>('/apps/:app/*', (request, reply) => run(putOperations, context, request, reply));
  app.delete<InstanceRequest>('/apps/:app/*', (request, reply) =>
    run(deleteOperations, context, request, reply),
  );
}

function run(
  operations: Record<'instance' | 'status' | 'metadata', Operation | undefined>,
  context: EurekaContext,
  request: FastifyRequest<InstanceRequest>,
  reply: FastifyReply,
): FastifyReply {
  const path = parseInstancePath(request.params['*']);
  const operation = path && operations[path.part];
  if (!operation) return sendNotFound(reply);
  const query = request.query as WireObject;
  return sendDone(reply, operation(context, { app: request.params.app, id: path.id, query, request }));
}

/** Tells the other registries, unless one of them is who tells us. */
function passOn(
  { peers }: EurekaContext,
  request: FastifyRequest,
  [action, app, id]: [ReplicationAction, string, string],
): void {
  if (renewalSourceOf(request).by === 'instance') peers.tell(action, app.toUpperCase(), id);
}

async function register(context: EurekaContext, app: string, request: FastifyRequest): Promise<void> {
  const { registry, registrantOf, maxInstancesPerAddress } = context;
  const info = readRegistration(decodeRequest(request, context.maxRegistrationBytes), app, context.now());
  const source = renewalSourceOf(request);
  const registrant = await registrantOf(request.socket.remoteAddress, source);
  switch (registry.register(info, { source, registrant })) {
    case 'full':
      throw new PorticoError(
        'SERVICE_UNAVAILABLE',
        `${info.instanceId} cannot register: the registry has its most instances, ${registry.leases.size} (DISCOVERY_MAX_INSTANCES)`,
      );
    case 'address-full':
      throw new PorticoError(
        'FORBIDDEN',
        `${info.instanceId} cannot register: ${registrant} has registered its most instances, ${maxInstancesPerAddress} (DISCOVERY_MAX_INSTANCES_PER_ADDRESS)`,
      );
    default:
  }
  passOn(context, request, ['Register', app, info.instanceId]);
}

function renew(context: EurekaContext, { app, id, query, request }: Target): boolean {
  const outcome = context.registry.renew(app, id, {
    ...readRenewal(query),
    source: renewalSourceOf(request),
  });
  if (outcome !== 'renewed') return false;
  passOn(context, request, ['Heartbeat', app, id]);
  return true;
}

function cancel(context: EurekaContext, { app, id, request }: Target): boolean {
  const known = context.registry.cancel(app, id);
  if (known) passOn(context, request, ['Cancel', app, id]);
  return known;
}

function setOverride(context: EurekaContext, { app, id, query, request }: Target): boolean {
  const known = context.registry.setOverride(app, id, requireOverride(query), readDirtyTimestamp(query));
  if (known) passOn(context, request, ['StatusUpdate', app, id]);
  return known;
}

function removeOverride(context: EurekaContext, { app, id, query, request }: Target): boolean {
  const known = context.registry.removeOverride(app, id, readOverride(query), readDirtyTimestamp(query));
  if (known) passOn(context, request, ['DeleteStatusOverride', app, id]);
  return known;
}

function putMetadata(context: EurekaContext, { app, id, query, request }: Target): boolean {
  const lease = context.registry.leases.find(app, id);
  if (!lease) return false;
  const metadata = readMetadata({ ...lease.info.metadata, ...query });
  context.registry.setMetadata(app, id, metadata);
  passOn(context, request, ['Register', app, id]);
  return true;
}
