import { once } from 'node:events';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { connect as connectTcp } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { createClient } from 'graphql-ws';
import { describe, expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { gatewaySettings } from '../../gateway/config.ts';
import { loadConfig } from '../../platform/config.ts';
import { canMakeCertificates } from '../helpers/certificates.ts';
import { metricOf } from '../helpers/metrics.ts';
import { answerOf, openSession, readUntil, send } from './http2-client.ts';
import { answer, query, useSecureFront } from './secure-front.ts';

if (!canMakeCertificates) console.log('Skipped: renewed certificates, as there is no openssl to make any');

describe.skipIf(!canMakeCertificates)('a certificate', () => {
  const secure = useSecureFront();
  const { front } = secure;

  /** Name in the certificate that a new connection is shown. */
  async function servedName(options: object = {}): Promise<unknown> {
    const socket = connectTls({ port: secure.port, host: '127.0.0.1', ca: secure.ca, ...options });
    await once(socket, 'secureConnect');
    const { subject } = socket.getPeerCertificate();
    socket.destroy();
    return subject.CN;
  }
  const serves = (name: string) => expect.poll(() => servedName(), { timeout: 5_000 }).toBe(name);
  const warnings = () =>
    front
      .log('gateway')
      .split('\n')
      .filter(line => line.includes('The certificate was not renewed'));
  const subscription = { query: 'subscription { ticked }' };

  test('that is renewed is served to new connections, and those that are open go on', async () => {
    const session = await openSession(secure.url, { ca: secure.ca });
    const stream = send(session, subscription, { accept: 'text/event-stream' });
    class Trusting extends WebSocket {
      constructor(url: string, protocol: string) {
        super(url, protocol, { ca: secure.ca });
      }
    }
    const client = createClient({
      url: secure.url.replace('https', 'wss'),
      webSocketImpl: Trusting,
      retryAttempts: 0,
    });
    onTestFinished(() => client.dispose());
    const results = client.iterate(subscription);
    expect((await results.next()).value).toHaveProperty('data.ticked');
    await readUntil(stream, 'ticked');

    expect(await servedName()).toBe('first');
    await secure.serve(await secure.authority.issue('second'));
    await serves('second');

    await readUntil(stream, 'ticked');
    expect((await results.next()).value).toHaveProperty('data.ticked');
    expect(JSON.parse((await answerOf(send(session, { query }))).text)).toEqual(answer);
    expect((session.socket as TLSSocket).getPeerCertificate().subject.CN).toBe('first');
    const { valid_to: validTo } = await certificateOf('second');
    expect(await metricOf(front.gateway, 'gateway_tls_certificate_expires_seconds')).toBe(
      Date.parse(validTo) / 1_000,
    );
  });

  async function certificateOf(name: string) {
    const socket = connectTls({ port: secure.port, host: '127.0.0.1', ca: secure.ca });
    await once(socket, 'secureConnect');
    const certificate = socket.getPeerCertificate();
    socket.destroy();
    expect(certificate.subject.CN).toBe(name);
    return certificate;
  }

  test.each([
    ['is no certificate', () => writeFile(secure.served.certFile, 'none'), 'expected a certificate in PEM'],
    ['is gone', () => rm(secure.served.certFile), "TLS_CERT_FILE can't be read"],
    [
      'has the key of another one',
      async () => {
        const other = await secure.authority.issue('other');
        await secure.serve({ ...other, keyFile: secure.authority.caFile.replace('.pem', '.key') });
      },
      'is not the key of the certificate',
    ],
  ])('that %s changes nothing, and is told of once', async (_what, spoil, message) => {
    const before = warnings().length;
    const name = `before-${before}`;
    await secure.serve(await secure.authority.issue(name));
    await serves(name);
    await spoil();
    await expect.poll(() => warnings().length, { timeout: 5_000 }).toBe(before + 1);
    expect(warnings().at(-1)).toContain(message);
    expect(await servedName()).toBe(name);

    // A renewal that works says that the files were looked at since.
    await secure.serve(await secure.authority.issue(`${name}-after`));
    await serves(`${name}-after`);
    expect(warnings().length).toBe(before + 1);
  });

  test('of a client is asked for where TLS_CLIENT_CA_FILE is set', async () => {
    await front.gateway.stop();
    await front.startGateway({ TLS_CLIENT_CA_FILE: secure.authority.caFile });
    const { certFile, keyFile } = await secure.authority.issue('client');

    const shown = { ca: secure.ca, cert: await readFile(certFile), key: await readFile(keyFile) };
    const session = await openSession(secure.url, shown);
    await expect
      .poll(async () => (await answerOf(send(session, { query }))).text, { timeout: 10_000 })
      .toContain('Ada');

    const socket = connectTls({ port: secure.port, host: '127.0.0.1', ca: secure.ca });
    const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException];
    expect(error.code).toBe('ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED');
  });

  test('does not keep a gateway from stopping while connections are open', async () => {
    const shown = { ca: secure.ca };
    await front.gateway.stop();
    await front.startGateway();
    await expect.poll(async () => (await front.supergraph()).phase, { timeout: 10_000 }).not.toBe('waiting');
    const session = await openSession(secure.url, shown);
    const stream = send(session, subscription, { accept: 'text/event-stream' });
    await readUntil(stream, 'ticked');
    const closing = once(session, 'close');
    const beginning = connectTcp(secure.port, '127.0.0.1');
    await once(beginning, 'connect');
    const unused = connectTls({ port: secure.port, host: '127.0.0.1', ...shown });
    await once(unused, 'secureConnect');
    for (const socket of [beginning, unused]) socket.on('error', () => {});
    const startedAt = performance.now();
    await front.gateway.stop();
    expect(await front.gateway.ended).toBe('with exit code 0');
    expect(performance.now() - startedAt).toBeLessThan(8_000);
    await closing;
  });

  test('or a key that does not fit, or is not there, is told of at the start', async () => {
    const base = { CALLER_SECRET: 'a'.repeat(32) };
    const { certFile, keyFile } = await secure.authority.issue('fitting');
    const other = await secure.authority.issue('unfitting');
    const load = (env: Record<string, string>) => () => loadConfig(gatewaySettings, { ...base, ...env });
    expect(load({ TLS_CERT_FILE: certFile, TLS_KEY_FILE: keyFile })).not.toThrow();
    expect(load({ TLS_CERT_FILE: certFile })).toThrow(
      /expected a value, because TLS_CERT_FILE is set, but got none\s+→ at TLS_KEY_FILE/,
    );
    expect(load({ TLS_KEY_FILE: keyFile })).toThrow(/because TLS_KEY_FILE is set.*\s+→ at TLS_CERT_FILE/);
    expect(load({ TLS_CLIENT_CA_FILE: certFile })).toThrow(/because TLS_CLIENT_CA_FILE is set/);
    expect(load({ TLS_CERT_FILE: '/none', TLS_KEY_FILE: keyFile })).toThrow(
      /expected the path of a file that can be read, but got \/none/,
    );
    expect(load({ TLS_CERT_FILE: certFile, TLS_KEY_FILE: other.keyFile })).toThrow(
      /TLS_KEY_FILE \(.*unfitting.key\) is not the key of the certificate in TLS_CERT_FILE/,
    );
    expect(load({ TLS_CERT_FILE: keyFile, TLS_KEY_FILE: keyFile })).toThrow(
      /TLS_CERT_FILE expected a certificate in PEM/,
    );
    expect(load({ TLS_CERT_FILE: certFile, TLS_KEY_FILE: keyFile, TLS_CLIENT_CA_FILE: keyFile })).toThrow(
      /TLS_CLIENT_CA_FILE expected a certificate in PEM/,
    );
  });
});
