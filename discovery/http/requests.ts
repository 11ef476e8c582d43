import type { FastifyRequest } from 'fastify';
import { instanceStatuses } from '../registry/instance.ts';
import { type RenewalSource, theInstance } from '../registry/lease.ts';
import { registryNameHeader, replicationHeader } from '../replication/wire.ts';
import { decodeBody } from '../wire/decode.ts';
import { readInteger, readWord, refuse, type WireObject } from '../wire/fields.ts';

const namePattern = /^[\w.-]{1,64}$/;
const timestampRange = { min: 0, max: Number.MAX_SAFE_INTEGER };
/** UNKNOWN is what the protocol calls the absence of an override. */
const overrides = instanceStatuses.filter(status => status !== 'UNKNOWN');

/** Reads a body of either kind. @throws PorticoError BAD_USER_INPUT when it is neither, or too large */
export function decodeRequest({ headers, body }: FastifyRequest, maxBytes: number): unknown {
  return decodeBody({
    body: Buffer.isBuffer(body) ? body : Buffer.alloc(0),
    contentType: headers['content-type'],
    contentEncoding: headers['content-encoding'],
    maxBytes,
  });
}

/** Name that another registry gives itself; undefined when it gives none. */
export function registryNameOf({ headers }: FastifyRequest): string | undefined {
  const name = String(headers[registryNameHeader] ?? '');
  return namePattern.test(name) ? name : undefined;
}

/** Reads the source of a request: an instance for itself, or another registry in its name. */
export function renewalSourceOf(request: FastifyRequest): RenewalSource {
  const replicated = request.headers[replicationHeader] === 'true';
  return replicated ? { by: 'peer', name: registryNameOf(request) } : theInstance;
}

/** Reads the status of an override, where one is sent. @throws PorticoError BAD_USER_INPUT when it is none */
export function readOverride(query: WireObject) {
  return readWord(query['value'], 'value', overrides);
}

/** Reads the status of an override that must be sent. @throws PorticoError BAD_USER_INPUT when it is not */
export function requireOverride(query: WireObject) {
  return readOverride(query) ?? refuse('value', `one of ${overrides.join(', ')}`, undefined);
}

/** Reads what a renewal carries. @throws PorticoError BAD_USER_INPUT when it is malformed */
export function readRenewal(query: WireObject) {
  return {
    lastDirtyTimestampMs: readDirtyTimestamp(query),
    override: readWord(query['overriddenstatus'], 'overriddenstatus', instanceStatuses),
  };
}

/** Reads when the sender believes the instance to have changed last. */
export function readDirtyTimestamp(query: WireObject): number | undefined {
  return readInteger(query['lastDirtyTimestamp'], 'lastDirtyTimestamp', timestampRange);
}
