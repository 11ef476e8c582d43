import { readFileSync } from 'node:fs';
import { copyFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, vi } from 'vitest';
import { type Authority, type Certificate, createAuthority } from '../helpers/certificates.ts';
import { type Front, useFront } from '../helpers/front.ts';
import { makeDataDir } from '../helpers/system.ts';

/** A front whose gateway serves clients over TLS. */
export interface SecureFront {
  readonly front: Front;
  /** Address of the graph, and its port. */
  readonly url: string;
  readonly port: number;
  readonly authority: Authority;
  /** Certificate of the authority that signs the gateway's. */
  readonly ca: Buffer;
  /** Files that the gateway reads its certificate from. */
  readonly served: Certificate;
  /** Copies a certificate to where the gateway reads its own from. */
  serve(certificate: Certificate): Promise<void>;
}

const link = (name: string) =>
  `extend schema @link(url: "https://specs.apollo.dev/federation/${name}", import: ["@key"])`;
const people = `${link('v2.7')}
  type Query { person: Person }
  type Person @key(fields: "id") { id: ID! name: String }
  type Subscription { ticked: Int filled: String }
`;
const ages = `${link('v2.7')}
  type Person @key(fields: "id") { id: ID! age: Int }
`;

/** An operation over both subgraphs, and its answer. */
export const query = '{ person { name age } }';
export const answer = { data: { person: { name: 'Ada', age: 36 } } };

/** Numbers that go on for as long as somebody listens. */
async function* tick() {
  for (let at = 1; ; at += 1) {
    yield { ticked: at };
    await new Promise(resolve => setTimeout(resolve, 50));
  }
}

/** Events of which a few are more than a connection takes without being read. */
async function* fill() {
  for await (const { ticked } of tick()) yield { filled: `${ticked} ${'x'.repeat(100_000)}` };
}

/** Gives the tests of a file such a front with two subgraphs, and ends it after them. */
export function useSecureFront(): SecureFront {
  let dir = '';
  let authority: Authority;
  let served: Certificate;
  const env: Record<string, string> = {
    TLS_RELOAD_INTERVAL_MS: '100',
    HTTP_HEADERS_TIMEOUT_MS: '1000',
    HTTP_REQUEST_TIMEOUT_MS: '2000',
    LIVE_KEEP_ALIVE_MS: '300',
    LIVE_BUFFER_EVENTS: '20',
  };

  async function serve({ certFile, keyFile }: Certificate): Promise<void> {
    await copyFile(certFile, served.certFile);
    await copyFile(keyFile, served.keyFile);
  }

  // Before the gateway starts with what is in `env` then.
  beforeAll(async () => {
    dir = await makeDataDir();
    authority = await createAuthority(dir);
    served = { certFile: join(dir, 'served.pem'), keyFile: join(dir, 'served.key') };
    await serve(await authority.issue('first'));
    Object.assign(env, { TLS_CERT_FILE: served.certFile, TLS_KEY_FILE: served.keyFile });
  });
  afterAll(() => rm(dir, { recursive: true }));
  const front = useFront({ env });
  beforeAll(async () => {
    const ada = { __typename: 'Person', id: '1' };
    const Query = { person: () => ({ ...ada, name: 'Ada' }) };
    const Subscription = { ticked: { subscribe: tick }, filled: { subscribe: fill } };
    const Person = { __resolveReference: () => ({ ...ada, age: 36 }) };
    await (
      await front.serve({ name: 'people', typeDefs: people, resolvers: { Query, Subscription } })
    ).register();
    await (await front.serve({ name: 'ages', typeDefs: ages, resolvers: { Person } })).register();
    await vi.waitFor(async () => expect((await front.supergraph()).subgraphs.length).toBe(2), {
      timeout: 10_000,
      interval: 50,
    });
  });

  return {
    front,
    get url() {
      return front.graphUrl.replace('http:', 'https:');
    },
    get port() {
      return Number(new URL(front.graphUrl).port);
    },
    get authority() {
      return authority;
    },
    get ca() {
      return readFileSync(authority.caFile);
    },
    get served() {
      return served;
    },
    serve,
  };
}
