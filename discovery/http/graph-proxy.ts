import { isIPv6 } from 'node:net';
import { Agent, request } from 'undici';
import { withDeadline } from '../../platform/deadline.ts';
import { messageOf } from '../../platform/errors.ts';
import { metadataKeys } from '../../platform/registry/instance.ts';
import { lookupAnyHost } from '../../platform/registry/instance-connections.ts';
import type { LeaseTable } from '../registry/lease-table.ts';

interface GraphProxyOptions {
  readonly leases: Pick<LeaseTable, 'application'>;
  /** Application under which the gateway registers. */
  readonly gatewayApp: string;
  /** Token that is shown to gateways; undefined for none. */
  readonly token: string | undefined;
}

/** A gateway's description of its graph, or the reason for which there is none. */
type GraphAnswer = { readonly gateway: string; readonly graph: unknown } | { readonly error: string };

const timeoutMs = 1_500;
const maxAnswerBytes = 1024 * 1024;
/** However many look at dashboards, a gateway is asked this often. */
const maxAgeMs = 2_000;
const maxGateways = 3;

/** Creates the proxy that asks a registered gateway for the state of its graph, so that a browser need not reach it. */
export function createGraphProxy({
  leases,
  gatewayApp,
  token,
}: GraphProxyOptions): () => Promise<GraphAnswer> {
  const agent = new Agent({ connect: { timeout: timeoutMs, lookup: lookupAnyHost } });
  let asked: { atMs: number; answer: Promise<GraphAnswer> } | undefined;

  async function ask(): Promise<GraphAnswer> {
    const gateways = (leases.application(gatewayApp) ?? []).filter(({ status }) => status === 'UP');
    const failures: string[] = [];
    for (const { info } of gateways.slice(0, maxGateways)) {
      const managementPort = info.metadata[metadataKeys.managementPort];
      if (!managementPort) continue;
      const host = isIPv6(info.hostName) ? `[${info.hostName}]` : info.hostName;
      try {
        const url = `http://${host}:${managementPort}/actuator/supergraph`;
        const graph = await fetchJson(url, token, agent);
        return { gateway: info.instanceId, graph };
      } catch (error) {
        failures.push(`${info.instanceId}: ${messageOf(error)}`);
      }
    }
    if (failures.length > 0) return { error: `No gateway answered (${failures.join('; ')})` };
    return { error: `No instance of ${gatewayApp} with a management port is UP` };
  }

  return () => {
    const nowMs = performance.now();
    if (!asked || nowMs - asked.atMs > maxAgeMs) asked = { atMs: nowMs, answer: ask() };
    return asked.answer;
  };
}

async function fetchJson(url: string, token: string | undefined, dispatcher: Agent): Promise<unknown> {
  const headers = {
    accept: 'application/json',
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
  };
  return withDeadline({ timeoutMs }, async signal => {
    const response = await request(url, { dispatcher, signal, headers });
    if (response.statusCode !== 200) {
      await response.body.dump();
      throw new Error(`it answered ${response.statusCode}`);
    }
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of response.body) {
      bytes += (chunk as Buffer).length;
      if (bytes > maxAnswerBytes) throw new Error(`it answered more than ${maxAnswerBytes} bytes`);
      chunks.push(chunk as Buffer);
    }
    return JSON.parse(Buffer.concat(chunks).toString('utf8')) as unknown;
  });
}
