import { execFile, spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** PEM files of a certificate and its key. */
export interface Certificate {
  readonly certFile: string;
  readonly keyFile: string;
}

/** Who signs certificates. */
export interface Authority {
  /** PEM file of its own certificate. */
  readonly caFile: string;
  /** Makes a certificate for 127.0.0.1, in files of that name. */
  issue(name: string): Promise<Certificate>;
}

/** False when there is no openssl to make certificates with. */
export const canMakeCertificates = spawnSync('openssl', ['version']).status === 0;

/** Makes an authority whose files are in a folder. */
export async function createAuthority(dir: string): Promise<Authority> {
  const file = (name: string) => join(dir, name);
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const own = ['-keyout', file('ca.key'), '-out', file('ca.pem'), '-days', '2', '-subj', '/CN=authority'];
  await run('openssl', ['req', '-x509', ...newKey, ...own]);
  await writeFile(file('names'), 'subjectAltName=IP:127.0.0.1');
  return {
    caFile: file('ca.pem'),
    async issue(name) {
      const [certFile, keyFile, csrFile] = [file(`${name}.pem`), file(`${name}.key`), file(`${name}.csr`)];
      const request = ['-keyout', keyFile, '-out', csrFile, '-subj', `/CN=${name}`];
      await run('openssl', ['req', ...newKey, ...request]);
      const signer = ['-CA', file('ca.pem'), '-CAkey', file('ca.key'), '-CAcreateserial', '-days', '2'];
      const signed = ['-in', csrFile, '-extfile', file('names'), '-out', certFile];
      await run('openssl', ['x509', '-req', ...signer, ...signed]);
      return { certFile, keyFile };
    },
  };
}
