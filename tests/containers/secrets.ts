import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { rootDir } from '../../dev/settings.ts';
import type { ComposeService } from './compose.ts';

/** Folder of a container with its secrets. */
export const secretsPath = '/run/secrets';

/** Secrets that the job of the Compose file has made and handed out, in a folder. */
export interface HandedOut {
  /** Path of what a container has below {@link secretsPath}. */
  fileOf(consumer: string, file: string): string;
  remove(): Promise<void>;
}

/** Texts of the files that the job gives each consumer, with `{SECRET}` in them. */
export function giftsOf(job: ComposeService): Map<string, Map<string, string>> {
  const gifts = new Map<string, Map<string, string>>();
  for (const gift of (job.command ?? []).slice(1)) {
    const [, consumer = '', file = '', text = `{${file}}`] = /^([\w-]+)\/(\w+)(?:=(.+))?$/.exec(gift) ?? [];
    const files = gifts.get(consumer) ?? new Map<string, string>();
    gifts.set(consumer, files.set(file, text));
  }
  return gifts;
}

/** Runs the job that makes the secrets, as Compose does, in a folder of its own. */
export async function runSecretsJob(
  job: ComposeService,
  env: Readonly<Record<string, string>> = {},
): Promise<HandedOut> {
  const folder = await mkdtemp(join(tmpdir(), 'portico-test-'));
  const [, , program = ''] = job.entrypoint ?? [];
  await promisify(execFile)(process.execPath, [join(rootDir, program), ...(job.command ?? [])], {
    env: { SECRETS_DIR: folder, ...env },
  });
  return {
    fileOf: (consumer, file) => join(folder, consumer, file),
    remove: () => rm(folder, { recursive: true }),
  };
}
