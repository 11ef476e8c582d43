import type { FastifyInstance } from 'fastify';
import { messageOf } from '../../platform/errors.ts';
import type { RenewalSource } from '../registry/lease.ts';
import type { InstanceRegistry } from '../registry/registry.ts';
import { type ReplicationTask, readBatch, readTask, type TaskAnswer } from '../replication/wire.ts';
import { writeInstance } from '../wire/json.ts';
import type { EurekaContext } from './eureka-context.ts';
import { decodeRequest, registryNameOf } from './requests.ts';

const maxBatchEntries = 250;
const statusByOutcome = { registered: 200, full: 503, 'address-full': 403 } as const;

interface BatchAnswer {
  readonly responseList: TaskAnswer[];
}

/** Adds the operation by which another registry passes on what it was told. */
export function addReplicationRoute(app: FastifyInstance, context: EurekaContext): void {
  const maxBytes = maxBatchEntries * context.maxRegistrationBytes;
  app.post('/peerreplication/batch', { bodyLimit: maxBytes }, async (request): Promise<BatchAnswer> => {
    const name = registryNameOf(request);
    // A registry that is given its own address among the others' learns of it by the name in the answer.
    if (name === context.name) return { responseList: [] };
    const batch = readBatch(decodeRequest(request, maxBytes));
    const source: RenewalSource = { by: 'peer', name };
    const registrant = await context.registrantOf(request.socket.remoteAddress, source);
    return {
      responseList: batch.map(wire => {
        try {
          return apply(readTask(wire, context.now()), context.registry, { source, registrant });
        } catch (error) {
          request.log.warn({ peer: name }, `An entry of a batch was refused: ${messageOf(error)}`);
          return { statusCode: 400 };
        }
      }),
    };
  });
}

function apply(
  task: ReplicationTask,
  registry: InstanceRegistry,
  { source, registrant }: { source: RenewalSource; registrant: string | undefined },
): TaskAnswer {
  const { app, id, lastDirtyTimestampMs, status, override } = task;
  switch (task.action) {
    case 'Register':
      if (!task.info) return { statusCode: 400 };
      return { statusCode: statusByOutcome[registry.register(task.info, { source, registrant })] };
    case 'Heartbeat': {
      const outcome = registry.renew(app, id, { lastDirtyTimestampMs, override, source });
      if (outcome === 'renewed') return { statusCode: 200 };
      const lease = registry.leases.find(app, id);
      if (outcome !== 'newer' || !lease) return { statusCode: 404 };
      return { statusCode: 409, responseEntity: writeInstance(lease) };
    }
    case 'Cancel':
      return done(registry.cancel(app, id));
    case 'StatusUpdate':
      if (!status || status === 'UNKNOWN') return { statusCode: 400 };
      return done(registry.setOverride(app, id, status, lastDirtyTimestampMs));
    case 'DeleteStatusOverride':
      return done(registry.removeOverride(app, id, status, lastDirtyTimestampMs));
    default:
      return task.action satisfies never;
  }
}

function done(known: boolean): TaskAnswer {
  return { statusCode: known ? 200 : 404 };
}
