import { readdir, readFile } from 'node:fs/promises';
import { dirname, join, normalize } from 'node:path';
import { parseSync } from 'oxc-parser';

/** One line of what may be imported: files that match `from` may import files that match `to`, where `$1` is `from`'s group. */
interface Allowed {
  readonly from: RegExp;
  readonly to: string;
}

/** Walls of the house (docs/architecture.md). Every import within the repository must match one of these. */
const allowed: readonly Allowed[] = [
  // Itself; each subgraph is a folder of its own.
  { from: /^(subgraphs\/[^/]+|(?!subgraphs)[^/]+)\//, to: '^$1/' },
  { from: /^(gateway|discovery|subgraphs|prisma|broker|cli|dev|tests|bench)\//, to: '^platform/' },
  { from: /^(prisma|dev|tests)\//, to: '^services\\.ts$' },
  // The system on one machine is started through entry points.
  { from: /^dev\//, to: '^(prisma/(migrate|seed)|cli/keys)\\.ts$' },
  // Tests of units may have a real database and a real broker.
  {
    from: /\.test\.ts$/,
    to: '^(prisma/(migrate|testing)\\.ts|broker/(server|testing)\\.ts|prisma/postgres/(server|scratch)\\.ts)$',
  },
  // The one test of two services without processes: orders are placed with inventory's real store.
  { from: /^subgraphs\/orders\/place-order\.test\.ts$/, to: '^subgraphs/inventory/store\\.ts$' },
  // Scenarios and benchmarks start processes, and read no more of them than their settings.
  {
    from: /^(tests|bench)\//,
    to: '^(dev/|cli/keys\\.ts$|prisma/(service-folder|assortment|postgres/(scratch|server|account))\\.ts$)',
  },
  { from: /^tests\//, to: '^(gateway|discovery|broker|subgraphs/[^/]+)/config\\.ts$' },
  { from: /^bench\//, to: '^(tests/helpers|broker)/' },
  // Configuration of tools.
  { from: /^[^/]+$/, to: '^' },
];

/** Names of TypeScript and JavaScript sources. */
const sourceName = /\.[cm]?[jt]sx?$/;
const folders = [
  'gateway',
  'discovery',
  'platform',
  'subgraphs',
  'prisma',
  'broker',
  'cli',
  'dev',
  'tests',
  'bench',
];

/** Finds the sources of the repository that are written by hand. @returns paths from its root */
export async function findSources(root: string): Promise<string[]> {
  const sources = (await readdir(root)).filter(file => sourceName.test(file));
  for (const folder of folders)
    for (const file of await readdir(join(root, folder), { recursive: true }))
      if (sourceName.test(file) && !file.includes('generated/')) sources.push(join(folder, file));
  return sources;
}

/** Reads the relative imports of a source, also those of types alone. @returns paths from the root of the repository */
export function importsOf(file: string, source: string): string[] {
  const { module, errors } = parseSync(file, source);
  if (errors.length > 0) throw new Error(`${file} could not be parsed: ${errors[0]?.message}`);
  const dynamic = module.dynamicImports.map(({ moduleRequest: { start, end } }) =>
    source.slice(start + 1, end - 1),
  );
  const exported = module.staticExports.flatMap(({ entries }) =>
    entries.flatMap(({ moduleRequest }) => (moduleRequest ? [moduleRequest.value] : [])),
  );
  return [...module.staticImports.map(({ moduleRequest }) => moduleRequest.value), ...exported, ...dynamic]
    .filter(specifier => specifier.startsWith('.'))
    .map(specifier => normalize(join(dirname(file), specifier)));
}

/** Tells whether a file may import another. Both are paths from the root of the repository. */
export function mayImport(from: string, to: string): boolean {
  return allowed.some(line => {
    const match = line.from.exec(from);
    return match !== null && new RegExp(line.to.replace('$1', match[1] ?? '')).test(to);
  });
}

/** Finds imports that no line allows. @returns `<file> imports <file>` for each */
export async function findBreaches(root: string, files: readonly string[]): Promise<string[]> {
  const breaches: string[] = [];
  for (const file of files)
    for (const imported of importsOf(file, await readFile(join(root, file), 'utf8')))
      if (!mayImport(file, imported)) breaches.push(`${file} imports ${imported}`);
  return breaches;
}

/** Finds files that import each other around a circle, also for their types alone. @returns the files of each circle */
export async function findCircles(root: string, files: readonly string[]): Promise<string[][]> {
  const imports = new Map<string, readonly string[]>();
  for (const file of files) imports.set(file, importsOf(file, await readFile(join(root, file), 'utf8')));
  const circles: string[][] = [];
  const done = new Set<string>();
  const path: string[] = [];
  const follow = (file: string): void => {
    const at = path.indexOf(file);
    if (at >= 0) circles.push(path.slice(at));
    if (at >= 0 || done.has(file)) return;
    path.push(file);
    for (const imported of imports.get(file) ?? []) follow(imported);
    path.pop();
    done.add(file);
  };
  for (const file of files) follow(file);
  return circles;
}
