import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import kafkajs from 'kafkajs';
import { freePort } from '../../platform/free-port.ts';
import {
  describeSecureListener,
  prepareSecureListener,
  type SecureListener,
  scramCredentials,
  secureListenerName,
} from './secure-listener.ts';

const run = promisify(execFile);

/** Java version that brokers of version 4 need. */
const minJava = 17;
const startTimeoutMs = 90_000;
const stopTimeoutMs = 30_000;
/** Prints warnings; without it the broker logs nothing. Of the version that the broker's own logging API has. */
const slf4jSimpleVersion = '1.7.36';

/** Something that is needed to run Apache Kafka is not to be had here. */
export class NotAvailableError extends Error {
  override readonly name = 'NotAvailableError';
}

/** A running Apache Kafka broker of one node. */
export interface ApacheKafka {
  /** `host:port` */
  address: string;
  /** The same broker over TLS and with a sign-in. */
  secure: SecureListener;
  /** Stops it and removes its data. */
  close(): Promise<void>;
}

/**
 * Gets Apache Kafka's libraries from Maven Central, once a version.
 *
 * @returns the folder that they are in
 * @throws NotAvailableError when Java or Maven are missing or too old, or Maven cannot get the libraries
 */
export async function fetchLibraries(version: string, cacheDir: string): Promise<string> {
  const { stderr: java } = await run('java', ['-version']).catch(cause => {
    throw new NotAvailableError('Java is not installed', { cause });
  });
  const [, major = '0'] = /version "(\d+)/.exec(java) ?? [];
  if (Number(major) < minJava)
    throw new NotAvailableError(`Java expected ${minJava} at least, but got ${major}`);
  const folder = join(cacheDir, version);
  if (await stat(folder).catch(() => undefined)) return folder;
  const unfinished = `${folder}.unfinished`;
  await rm(unfinished, { recursive: true, force: true });
  await mkdir(unfinished, { recursive: true });
  const pom = join(cacheDir, `${version}.pom.xml`);
  await writeFile(pom, describeProject(version));
  const goal = ['dependency:copy-dependencies', `-DoutputDirectory=${unfinished}`, '-DincludeScope=runtime'];
  await run('mvn', ['-q', '-B', '-f', pom, ...goal]).catch((cause: Error) => {
    throw new NotAvailableError(`Maven cannot get Apache Kafka ${version}: ${cause.message}`, { cause });
  });
  await rename(unfinished, folder);
  return folder;
}

function describeProject(version: string): string {
  const dependency = (groupId: string, artifactId: string, of: string) =>
    `<dependency><groupId>${groupId}</groupId><artifactId>${artifactId}</artifactId><version>${of}</version></dependency>`;
  return `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>portico</groupId><artifactId>apache-kafka</artifactId><version>1</version>
  <dependencies>
    ${dependency('org.apache.kafka', 'kafka_2.13', version)}
    ${dependency('org.slf4j', 'slf4j-simple', slf4jSimpleVersion)}
  </dependencies>
</project>
`;
}

/**
 * Starts a broker that is its own controller (KRaft), on free ports of the loopback address and with data of its own.
 *
 * @throws NotAvailableError when openssl is missing
 * @throws Error with what it printed when it ends or does not answer in time
 */
export async function startApacheKafka(libraries: string): Promise<ApacheKafka> {
  const dir = await mkdtemp(join(tmpdir(), 'apache-kafka-'));
  const [port, securePort, controllerPort] = [await freePort(), await freePort(), await freePort()];
  const address = `127.0.0.1:${port}`;
  const secure = await prepareSecureListener(dir, `127.0.0.1:${securePort}`).catch((cause: Error) => {
    throw new NotAvailableError(`openssl cannot make certificates: ${cause.message}`, { cause });
  });
  const properties = join(dir, 'server.properties');
  const description = describeBroker({
    address,
    secureAddress: secure.address,
    controller: `127.0.0.1:${controllerPort}`,
    dir,
  });
  await writeFile(properties, description + describeSecureListener(dir, secure));
  const java = ['-Xmx512m', '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn', '-cp', join(libraries, '*')];
  const clusterId = 'cG9ydGljby1wb3J0aWNvIQ';
  const format = ['format', '-t', clusterId, '-c', properties, ...scramCredentials(secure)];
  await run('java', [...java, 'kafka.tools.StorageTool', ...format]);
  const child = spawn('java', [...java, 'kafka.Kafka', properties], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', chunk => (output += chunk));
  const exited = once(child, 'exit').then(([code, signal]) => `it ended with ${code ?? signal}`);
  const close = async () => {
    child.kill('SIGTERM');
    const killing = setTimeout(() => child.kill('SIGKILL'), stopTimeoutMs);
    await exited;
    clearTimeout(killing);
    await rm(dir, { recursive: true, force: true });
  };
  const failure = await Promise.race([exited, waitUntilItAnswers(address)]);
  if (failure === undefined) return { address, secure, close };
  await close();
  throw new Error(`Apache Kafka expected to start, but ${failure}:\n${output}`);
}

function describeBroker({
  address,
  secureAddress,
  controller,
  dir,
}: Record<'address' | 'secureAddress' | 'controller' | 'dir', string>): string {
  const secure = `${secureListenerName}://${secureAddress}`;
  return `
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@${controller}
listeners=PLAINTEXT://${address},${secure},CONTROLLER://${controller}
advertised.listeners=PLAINTEXT://${address},${secure}
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,${secureListenerName}:SASL_SSL
log.dirs=${join(dir, 'data')}
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
`;
}

/** Resolves with nothing once a client gets an answer, or with why not. */
async function waitUntilItAnswers(address: string): Promise<string | undefined> {
  const admin = new kafkajs.Kafka({ brokers: [address], logLevel: kafkajs.logLevel.NOTHING }).admin({
    retry: { retries: 0 },
  });
  for (const start = performance.now(); performance.now() - start < startTimeoutMs; )
    try {
      await admin.connect();
      await admin.listTopics();
      return undefined;
    } catch {
      await delay(200);
    } finally {
      await admin.disconnect();
    }

  return `it did not answer within ${startTimeoutMs} ms`;
}
