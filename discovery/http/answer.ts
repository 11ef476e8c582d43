import type { FastifyReply, FastifyRequest } from 'fastify';
import { appsHashcode, countStatuses } from '../../platform/registry/hashcode.ts';
import type { Lease } from '../registry/lease.ts';
import { listApplications } from '../wire/applications.ts';
import { applicationJson, applicationsJson, instanceJson } from '../wire/json.ts';
import type { SharedText } from '../wire/shared-text.ts';
import { applicationsXml, applicationXml, instanceXml } from '../wire/xml-write.ts';

/** Format of an answer. */
type WireFormat = 'json' | 'xml';

/** A list that many ask for, in both forms. */
export type SharedListing = Readonly<Record<WireFormat, SharedText>>;

/** JSON for who names it; XML for everybody else, Prometheus among them, which names nothing. */
function formatFor(request: FastifyRequest): WireFormat {
  return request.headers.accept?.includes('json') ? 'json' : 'xml';
}

/** Answers with a shared text, gzipped for who takes that. */
export async function sendShared(request: FastifyRequest, reply: FastifyReply, text: SharedText) {
  reply.header('vary', 'accept, accept-encoding');
  if (!String(request.headers['accept-encoding'] ?? '').includes('gzip')) return reply.send(text.plain());
  return reply.header('content-encoding', 'gzip').send(await text.zipped());
}

/** Answers with a shared list, in the form that is asked for. */
export async function sendListing(request: FastifyRequest, reply: FastifyReply, listing: SharedListing) {
  const format = formatFor(request);
  return sendShared(request, reply.type(`application/${format}`), listing[format]);
}

function send(request: FastifyRequest, reply: FastifyReply, write: Record<WireFormat, () => string>) {
  const format = formatFor(request);
  return reply.header('vary', 'accept').type(`application/${format}`).send(write[format]());
}

/** Answers with a list of its own, with the hash of itself. */
export function sendLeases(request: FastifyRequest, reply: FastifyReply, leases: readonly Lease[]) {
  if (leases.length === 0) return sendNotFound(reply);
  const list = listApplications(leases, appsHashcode(countStatuses(leases)));
  return send(request, reply, { json: () => applicationsJson(list), xml: () => applicationsXml(list) });
}

/** Answers with one application. */
export function sendApplication(request: FastifyRequest, reply: FastifyReply, leases: readonly Lease[]) {
  const name = leases[0]?.info.app;
  if (!name) return sendNotFound(reply);
  return send(request, reply, {
    json: () => applicationJson(name, leases),
    xml: () => applicationXml(name, leases),
  });
}

/** Answers with one instance. */
export function sendInstance(request: FastifyRequest, reply: FastifyReply, lease: Lease | undefined) {
  if (!lease) return sendNotFound(reply);
  return send(request, reply, {
    json: () => `{"instance":${instanceJson(lease)}}`,
    xml: () => instanceXml(lease),
  });
}

/** Netflix's clients read an instance from whatever comes with a renewal's status, so nothing does. */
export function sendNotFound(reply: FastifyReply): FastifyReply {
  return reply.code(404).send();
}

/** Answers an operation on one instance: done, or no such instance. */
export function sendDone(reply: FastifyReply, done: boolean): FastifyReply {
  return reply.code(done ? 200 : 404).send();
}
