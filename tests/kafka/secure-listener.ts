import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createAuthority } from '../helpers/certificates.ts';

/** A listener over TLS that wants a certificate of the client, and a sign-in. */
export interface SecureListener {
  /** `host:port` */
  readonly address: string;
  /** PEM files: who signed the broker's certificate, and a client's certificate that the broker trusts. */
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
  readonly username: string;
  readonly password: string;
}

/** Name of the listener. */
export const secureListenerName = 'SASL_SSL';

/** Makes certificates of an authority of its own, for the broker and a client, in a folder. */
export async function prepareSecureListener(dir: string, address: string): Promise<SecureListener> {
  const authority = await createAuthority(dir);
  const broker = await authority.issue('broker');
  const client = await authority.issue('client');
  const [key, certificate] = [await readFile(broker.keyFile), await readFile(broker.certFile)];
  await writeFile(join(dir, 'broker-keystore.pem'), Buffer.concat([key, certificate]));
  return {
    address,
    caFile: authority.caFile,
    ...client,
    username: 'portico',
    password: 'a-password-for-tests',
  };
}

/** The broker's properties for the listener. */
export function describeSecureListener(dir: string, { caFile, username, password }: SecureListener): string {
  const prefix = `listener.name.${secureListenerName.toLowerCase()}`;
  const modules = 'org.apache.kafka.common.security';
  const scram = `${modules}.scram.ScramLoginModule required;`;
  return `
${prefix}.ssl.keystore.type=PEM
${prefix}.ssl.keystore.location=${join(dir, 'broker-keystore.pem')}
${prefix}.ssl.truststore.type=PEM
${prefix}.ssl.truststore.location=${caFile}
${prefix}.ssl.client.auth=required
${prefix}.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
${prefix}.plain.sasl.jaas.config=${modules}.plain.PlainLoginModule required user_${username}="${password}";
${prefix}.scram-sha-256.sasl.jaas.config=${scram}
${prefix}.scram-sha-512.sasl.jaas.config=${scram}
`;
}

/** Arguments of the storage's formatting by which the broker knows the user's SCRAM credentials. */
export function scramCredentials({ username, password }: SecureListener): string[] {
  return ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap(mechanism => [
    '--add-scram',
    `${mechanism}=[name=${username},password=${password}]`,
  ]);
}
