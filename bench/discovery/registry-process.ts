import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { Pool } from 'undici';

/** A registry under measurement, in a process of its own. */
export interface MeasuredRegistry {
  readonly url: string;
  readonly pool: Pool;
  /** CPU time that the process has used so far, in seconds. */
  cpuSeconds(): Promise<number>;
  /** Memory that the process holds, in MiB. */
  residentMiB(): Promise<number>;
  close(): Promise<void>;
}

const rootDir = join(import.meta.dirname, '..', '..');
const connections = 16;

/** Starts a registry on loopback with its defaults. */
export async function startMeasuredRegistry(): Promise<MeasuredRegistry> {
  const child = spawn(process.execPath, ['--import', 'tsx', 'discovery/main.ts'], {
    cwd: rootDir,
    env: {
      ...process.env,
      DISCOVERY_PORT: '0',
      MANAGEMENT_PORT: '0',
      DISCOVERY_MAX_INSTANCES_PER_ADDRESS: '0',
      LOG_LEVEL: 'warn',
    },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const ports = await readyPorts(child);
  const url = `http://127.0.0.1:${ports.http}`;
  const pool = new Pool(url, { connections });

  async function metric(name: string): Promise<number> {
    const text = await (await fetch(`http://127.0.0.1:${ports.management}/actuator/prometheus`)).text();
    return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
  }

  return {
    url,
    pool,
    cpuSeconds: () => metric('process_cpu_seconds_total'),
    residentMiB: async () => (await metric('process_resident_memory_bytes')) / 1024 / 1024,
    async close() {
      await pool.destroy();
      child.kill();
      await once(child, 'exit');
    },
  };
}

async function readyPorts(child: ChildProcess): Promise<{ http: number; management: number }> {
  for (;;) {
    const [message] = (await once(child, 'message')) as [
      { type?: string; ports: { http: number; management: number } },
    ];
    if (message.type === 'ready') return message.ports;
  }
}
