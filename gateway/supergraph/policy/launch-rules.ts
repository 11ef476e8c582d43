import { readFile } from 'node:fs/promises';
import * as z from 'zod';

const approval = z.enum(['allow', 'approve']).default('allow');

const launchRules = z.strictObject({
  /** Applications that may serve a subgraph, by its name; in upper case, as Eureka keeps them. */
  subgraphs: z
    .record(
      z.string(),
      z
        .array(z.string().min(1))
        .min(1)
        .transform(names => names.map(name => name.toUpperCase())),
    )
    .default({}),
  /** Subgraphs that may define the fields of a type, by its name. */
  types: z.record(z.string(), z.array(z.string().min(1)).min(1)).default({}),
  /** Subgraphs that the graph does not have, and `subgraphs` does not name. */
  newSubgraphs: approval,
  /** Versions with which operations of clients that were valid may not be so any more. */
  breakingChanges: approval,
});

/** Rules of what may be put in service. */
export type LaunchRules = z.infer<typeof launchRules>;

/** Reads the rules from a text of JSON. @throws Error that says what is wrong in it */
export function parseLaunchRules(text: string): LaunchRules {
  const parsed = launchRules.safeParse(JSON.parse(text));
  if (parsed.success) return parsed.data;
  throw new Error(z.prettifyError(parsed.error));
}

/** Reads the rules from a file. @throws Error that names the file, and what is wrong in it */
export async function readLaunchRules(file: string): Promise<LaunchRules> {
  try {
    return parseLaunchRules(await readFile(file, 'utf8'));
  } catch (cause) {
    throw new Error(`The launch policy in ${file} can't be used: ${(cause as Error).message}`, { cause });
  }
}
