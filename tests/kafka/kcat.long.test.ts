import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type BrokerProcess, makeDataDir, startBrokerProcess } from './broker-process.ts';
import { uniqueName } from './clients.ts';

const hasKcat = spawnSync('kcat', ['-V']).status === 0;
if (!hasKcat)
  console.log('Skipped: the tests with kcat, as there is no program of this name (Debian: apt install kcat)');

describe.skipIf(!hasKcat)('the embedded broker, spoken to by kcat', () => {
  let broker: BrokerProcess;
  let remove: () => Promise<void>;

  beforeAll(async () => {
    const data = await makeDataDir();
    remove = data.remove;
    broker = await startBrokerProcess({ KAFKA_DATA_DIR: data.dataDir, KAFKA_PORT: '0' });
  });

  afterAll(async () => {
    expect(await broker.end('SIGTERM')).toBe(0);
    await remove();
  });

  /** Runs kcat, and gives the lines that it prints. @throws Error with what it complains of when it fails */
  async function kcat(args: string[], lines: string[] = []): Promise<string[]> {
    const child = spawn('kcat', ['-b', `127.0.0.1:${broker.port}`, ...args], { timeout: 30_000 });
    child.stdin.end(lines.map(line => `${line}\n`).join(''));
    const exited = once(child, 'exit');
    const [output, complaint] = await Promise.all([text(child.stdout), text(child.stderr)]);
    const [code] = await exited;
    if (code !== 0) throw new Error(`kcat ${args.join(' ')} ended with ${code}: ${complaint}`);
    return output.split('\n').slice(0, -1);
  }

  const consume = (topic: string, ...args: string[]) => kcat(['-C', '-e', '-q', '-t', topic, ...args]);

  test('lists the broker and its topics (-L)', async () => {
    const topic = uniqueName('topic');
    await kcat(['-P', '-t', topic], ['message']);
    const listed = (await kcat(['-L'])).join('\n');
    expect(listed).toContain(`broker 1 at 127.0.0.1:${broker.port} (controller)`);
    expect(listed).toContain(
      `topic "${topic}" with 1 partitions:\n    partition 0, leader 1, replicas: 1, isrs: 1`,
    );
  });

  test('gives back keys, values and headers (-P, -C)', async () => {
    const topic = uniqueName('topic');
    await kcat(['-P', '-t', topic, '-K', ':', '-H', 'trace=42'], ['a:first', 'b:second']);
    expect(await consume(topic, '-f', '%o %k %s %h\n')).toEqual([
      '0 a first trace=42',
      '1 b second trace=42',
    ]);
    expect(await consume(topic, '-o', '1')).toEqual(['second']);
    expect(await consume(topic, '-o', '-1')).toEqual(['second']);
  });

  test.each(['gzip', 'snappy', 'lz4', 'zstd'])('keeps what is compressed with %s as it is', async codec => {
    const topic = uniqueName('topic');
    const values = Array.from({ length: 1000 }, (_, number) => `compressible value ${number}`);
    await kcat(['-P', '-t', topic, '-z', codec], values);
    expect(await consume(topic)).toEqual(values);
  });

  test('takes the batches of an idempotent producer', async () => {
    const topic = uniqueName('topic');
    const values = Array.from({ length: 5000 }, (_, number) => String(number));
    await kcat(['-P', '-t', topic, '-X', 'enable.idempotence=true', '-X', 'batch.num.messages=100'], values);
    expect(await consume(topic)).toEqual(values);
  });

  test('goes on where the group has committed (-G)', async () => {
    const [topic, group] = [uniqueName('topic'), uniqueName('group')];
    const readOn = () => kcat(['-G', group, '-e', '-q', '-X', 'auto.offset.reset=earliest', topic]);
    await kcat(['-P', '-t', topic], ['one', 'two']);
    expect(await readOn()).toEqual(['one', 'two']);
    await kcat(['-P', '-t', topic], ['three']);
    expect(await readOn()).toEqual(['three']);
  });

  test('finds offsets by time (-Q)', async () => {
    const topic = uniqueName('topic');
    await kcat(['-P', '-t', topic], ['now']);
    expect(await kcat(['-Q', '-t', `${topic}:0:1`])).toEqual([`${topic} [0] offset 0`]);
    expect(await kcat(['-Q', '-t', `${topic}:0:${Date.now() + 60_000}`])).toEqual([`${topic} [0] offset -1`]);
  });
});
