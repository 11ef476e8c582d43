import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { messageOf } from '../../../platform/errors.ts';
import { hashOfSdl } from '../../../platform/graphql/sdl.ts';
import type { Logger } from '../../../platform/log.ts';
import { readIfThere, replaceFile } from '../../../platform/whole-file.ts';
import type { Subgraph } from '../composition/compose.ts';

const recordSchema = z.object({
  /** Versions that operators have approved. Hashes of versions are registered by anybody, so the SDL's own is kept too. */
  approvals: z.array(
    z.object({ subgraph: z.string(), hash: z.string(), sdlHash: z.string(), at: z.iso.datetime() }),
  ),
  /** Application that a subgraph of the graph was put in service with, by the subgraph's name. */
  applications: z.record(z.string(), z.string()),
});
/** What the launch policy has to remember, on disk beside the launch history. */
export interface PolicyRecord {
  isApproved(version: Subgraph): boolean;
  approve(version: Subgraph): Promise<void>;
  /** Application that a subgraph of the graph was put in service with. */
  applicationOf(subgraph: string): string | undefined;
  /** Takes the place of all applications that are known. @returns whether something has changed */
  setApplications(applicationBySubgraph: ReadonlyMap<string, string>): Promise<boolean>;
}

/** Opens the record in a folder, which is made. What can't be read or written is told of; then memory must do. */
export async function openPolicyRecord(folder: string, log: Logger): Promise<PolicyRecord> {
  const file = join(folder, 'launch-policy.json');
  let approvals: z.infer<typeof recordSchema>['approvals'] = [];
  let applications: ReadonlyMap<string, string> = new Map();

  async function onDisk(what: string, run: () => Promise<void>): Promise<void> {
    try {
      await run();
    } catch (error) {
      log.error({ file }, `${what} failed; a restart will not know them: ${messageOf(error)}`);
    }
  }

  const save = () =>
    onDisk('Writing the approvals of the launch policy', () => {
      const recorded = { approvals, applications: Object.fromEntries(applications) };
      return replaceFile(file, `${JSON.stringify(recorded, undefined, 2)}\n`);
    });

  await onDisk('Reading the approvals of the launch policy', async () => {
    await mkdir(folder, { recursive: true });
    const text = await readIfThere(file);
    if (text === '') return;
    const recorded = recordSchema.parse(JSON.parse(text));
    approvals = recorded.approvals;
    applications = new Map(Object.entries(recorded.applications));
  });

  return {
    isApproved({ name, hash, sdl }) {
      const known = approvals.filter(each => each.subgraph === name && each.hash === hash);
      return known.some(({ sdlHash }) => sdlHash === hashOfSdl(sdl));
    },
    async approve({ name, hash, sdl }) {
      const approval = { subgraph: name, hash, sdlHash: hashOfSdl(sdl), at: new Date().toISOString() };
      approvals = [...approvals, approval];
      await save();
    },
    applicationOf: subgraph => applications.get(subgraph),
    async setApplications(applicationBySubgraph) {
      const isSame =
        applications.size === applicationBySubgraph.size &&
        [...applicationBySubgraph].every(([name, application]) => applications.get(name) === application);
      if (isSame) return false;
      applications = applicationBySubgraph;
      await save();
      return true;
    },
  };
}
