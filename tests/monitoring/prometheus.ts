import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { vi } from 'vitest';
import { freePort } from '../../platform/free-port.ts';
import { findProgram } from '../helpers/programs.ts';
import { prometheusDir } from './expressions.ts';

/** Path of Prometheus; undefined where it is not installed. */
export const prometheus = findProgram('prometheus');
/** Path of its tool; undefined where it is not installed. */
export const promtool = findProgram('promtool');

/** Address of the registry in `prometheus.yml`, as it is in the containers' network. */
const registryInFile = 'discovery:8761';

/** One result of an instant query. */
export interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [timestamp: number, value: string];
}

interface EvaluatedRule {
  readonly name: string;
  readonly health: string;
  readonly state: string;
  readonly lastError?: string;
}

/** A Prometheus that watches a system. */
export interface RunningPrometheus {
  /** Evaluates an expression now. @throws Error with Prometheus's words when it does not parse */
  query(expr: string): Promise<readonly Sample[]>;
  /** The alert rules, with how their last evaluation went. */
  rules(): Promise<readonly EvaluatedRule[]>;
  /** Names of all metrics that the targets describe. */
  describedMetrics(): Promise<Set<string>>;
  close(): Promise<void>;
}

/** Runs promtool. @returns what it printed @throws Error with what it printed when it is not satisfied */
export async function runPromtool(...args: string[]): Promise<string> {
  const { stdout, stderr } = await promisify(execFile)(promtool ?? '', args, { cwd: prometheusDir });
  return stdout + stderr;
}

/** Starts Prometheus with the project's configuration, in which only the registry's address is another. */
export async function startPrometheus(registryUrl: string): Promise<RunningPrometheus> {
  const folder = await mkdtemp(join(tmpdir(), 'portico-monitoring-'));
  const config = await writeConfig(folder, new URL(registryUrl).host);
  const address = `127.0.0.1:${await freePort()}`;
  const child = spawn(
    prometheus ?? '',
    [
      `--config.file=${config}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=${address}`,
      '--log.level=warn',
    ],
    { stdio: 'ignore' },
  );
  const ended = once(child, 'close');
  const close = async () => {
    child.kill('SIGKILL');
    await ended;
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await untilReady(`http://${address}`);
  } catch (error) {
    await close();
    throw error;
  }
  return { ...clientOf(`http://${address}`), close };
}

/** Copies the project's configuration with the registry's address put in. @returns its file */
async function writeConfig(folder: string, registry: string): Promise<string> {
  await cp(prometheusDir, folder, { recursive: true });
  const file = join(folder, 'prometheus.yml');
  const config = await readFile(file, 'utf8');
  if (config.split(registryInFile).length !== 2)
    throw new Error(`prometheus.yml expected to name ${registryInFile} once, but does not`);
  await writeFile(file, config.replace(registryInFile, registry));
  return file;
}

async function untilReady(url: string): Promise<void> {
  const look = async () => {
    if (!(await fetch(`${url}/-/ready`)).ok) throw new Error(`Prometheus at ${url} is not ready`);
  };
  await vi.waitFor(look, { timeout: 20_000 });
}

function clientOf(url: string): Omit<RunningPrometheus, 'close'> {
  async function ask<T>(path: string): Promise<T> {
    const response = await fetch(`${url}/api/v1/${path}`);
    const answer = (await response.json()) as { status: string; data: T; error?: string };
    if (answer.status !== 'success')
      throw new Error(`${path} expected an answer, but got: ${answer.error ?? answer.status}`);
    return answer.data;
  }
  return {
    query: async expr => (await ask<{ result: Sample[] }>(`query?query=${encodeURIComponent(expr)}`)).result,
    rules: async () =>
      (await ask<{ groups: { rules: EvaluatedRule[] }[] }>('rules')).groups.flatMap(({ rules }) => rules),
    describedMetrics: async () => new Set(Object.keys(await ask<Record<string, unknown>>('metadata'))),
  };
}
