import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/** A port that a part of the system is going to take. */
export interface NeededPort {
  readonly name: string;
  /** 0 is a free one, which is never taken. */
  readonly port: number;
  /** Environment variable that moves it. */
  readonly setting: string;
}

/** Looks whether all ports are free. @throws Error naming each port that is taken, and what moves it */
export async function checkPorts(needed: readonly NeededPort[]): Promise<void> {
  const taken: NeededPort[] = [];
  for (const each of needed) if (each.port !== 0 && !(await isFree(each.port))) taken.push(each);
  if (taken.length === 0) return;
  const lines = taken.map(
    ({ name, port, setting }) => `  port ${port} of ${name} is taken; set ${setting} to use another`,
  );
  throw new Error(`The system can't start:\n${lines.join('\n')}\nIf it runs already, use that one.`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/** Ports that the system never gives to a client's side of a connection, so that a process that is killed finds its own again. */
const lastingPorts = { min: 20_000, max: 32_000 };

/** Finds free ports, each a different one, that stay free while those who have them are restarted. */
export async function findLastingPorts(count: number): Promise<number[]> {
  const found = new Set<number>();
  while (found.size < count) {
    const port = randomInt(lastingPorts.min, lastingPorts.max);
    if (await isFree(port)) found.add(port);
  }
  return [...found];
}
